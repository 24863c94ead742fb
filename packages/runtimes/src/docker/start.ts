/** From a specification to a running container in two requests: create and start. */
import { stat } from 'node:fs/promises';
import type { EngineClient } from '../engine/client.ts';
import { EngineError, EngineUnreachableError, isConflict, isNotFound } from '../engine/errors.ts';
import { RuntimeError, type RunSpecification } from '../port.ts';
import { containerBody, type EngineTraits } from './container.ts';
import { containerName, labels } from './names.ts';
import type { RunNetworks } from './prepared-networks.ts';
import { removeContainer } from './removal.ts';
import type { Shells } from './shells.ts';

export interface Starter {
  readonly engine: EngineClient;
  readonly traits: EngineTraits;
  readonly worker: string;
  readonly processLimit: number;
  readonly networks: RunNetworks;
  readonly shells: Shells;
  /** Whether the engine has a first process that reaps orphans; true until it says otherwise. */
  readonly init: { available: boolean };
  /** Control group to put a container into, in the engine's words; undefined: wherever it puts them. */
  groupOf(uuid: string, epoch: number): string | undefined;
}

/**
 * Starts a run; answers the container's id. Whatever was created is removed again if it does not start.
 * @throws RuntimeError
 */
export async function startContainer(
  starter: Starter,
  run: RunSpecification,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const image = run.image?.id;
  if (image === undefined) {
    throw new RuntimeError('This worker runs commands in container images: the run must name one', {
      userError: true,
    });
  }
  // The requests are not cut off: nobody would know whether the engine still makes what it was asked for.
  try {
    return await createAndStart(starter, run, image, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!adapt(starter, error)) {
      throw startFailure(error);
    }
  }
  try {
    return await createAndStart(starter, run, image, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw startFailure(error);
  }
}

async function createAndStart(
  starter: Starter,
  run: RunSpecification,
  image: string,
  signal: AbortSignal,
): Promise<string> {
  const container = await createWithShell(starter, run, image);
  await unlessAborted(starter, container, signal);
  await startOrRemove(starter, container);
  await unlessAborted(starter, container, signal);
  return container;
}

/** What was taken for granted and is not so: learns it, and answers whether a second try may go better. */
function adapt(starter: Starter, error: unknown): boolean {
  if (!(error instanceof EngineError)) {
    return false;
  }
  // The first process of a container is a package of its own for some distributions.
  if (starter.init.available && /(?:container-init|docker-init|catatonit).*not found/.test(error.message)) {
    starter.init.available = false;
    return true;
  }
  if (/network .*not found/i.test(error.message)) {
    starter.networks.forget();
    return true;
  }
  return false;
}

async function unlessAborted(starter: Starter, container: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    await removeContainer(starter.engine, container);
    signal.throwIfAborted();
  }
}

/** The first container of an image is looked into for its shell before it starts. */
async function createWithShell(starter: Starter, run: RunSpecification, image: string): Promise<string> {
  const guess = starter.shells.guess(image);
  const container = await create(starter, run, image, guess);
  try {
    // Another run may have found it out while this container was being created.
    const shell = starter.shells.isKnown(image)
      ? starter.shells.guess(image)
      : await starter.shells.find(starter.engine, image, container);
    if (shell === guess) {
      return container;
    }
  } catch (error) {
    await removeContainer(starter.engine, container);
    throw error;
  }
  await removeContainer(starter.engine, container);
  return create(starter, run, image, starter.shells.guess(image));
}

async function create(
  starter: Starter,
  run: RunSpecification,
  image: string,
  shell: string,
): Promise<string> {
  const { engine, traits, worker, processLimit } = starter;
  const [network, user] = await Promise.all([
    starter.networks.mode(run.network),
    traits.rootless ? '0:0' : ownerOf(run.directory),
  ]);
  const body = containerBody({
    specification: run,
    image,
    shell,
    worker,
    user,
    network,
    processLimit,
    init: starter.init.available,
    group: starter.groupOf(run.uuid, run.epoch),
    engine: traits,
  });
  const name = containerName(run.uuid, run.epoch);
  try {
    return await engine.createContainer(name, body);
  } catch (error) {
    if (!isConflict(error)) {
      throw error;
    }
    await removeLeftover(starter, run, name, error);
    return engine.createContainer(name, body);
  }
}

/** A worker that died between creating a container and noting it down starts the same attempt again. */
async function removeLeftover(
  starter: Starter,
  run: RunSpecification,
  name: string,
  conflict: unknown,
): Promise<void> {
  const existing = await starter.engine.inspectContainer(name);
  const marks = existing.Config.Labels ?? {};
  if (marks[labels.worker] !== starter.worker || marks[labels.epoch] !== String(run.epoch)) {
    throw new RuntimeError(`A container named ${name} exists already, and is not this worker's`, {
      userError: false,
      cause: conflict,
    });
  }
  await removeContainer(starter.engine, existing.Id);
}

async function startOrRemove(starter: Starter, container: string): Promise<void> {
  try {
    await starter.engine.startContainer(container);
  } catch (error) {
    if (!(error instanceof EngineUnreachableError)) {
      await removeContainer(starter.engine, container);
    }
    throw error;
  }
}

async function ownerOf(directory: string): Promise<string> {
  const { uid, gid } = await stat(directory);
  return `${uid}:${gid}`;
}

function startFailure(error: unknown): unknown {
  if (error instanceof EngineError || error instanceof EngineUnreachableError) {
    const userError = error instanceof EngineError && isRequestToBlame(error);
    return new RuntimeError(
      userError ? error.message : `The container could not be started: ${error.message}`,
      {
        userError,
        imageGone: isNotFound(error) && /no such image/i.test(error.message),
        cause: error,
      },
    );
  }
  return error;
}

/** Refusals that another worker would give too: most often too little memory, or an image made for newer GPU drivers. */
function isRequestToBlame(error: EngineError): boolean {
  return /minimum memory limit|memory limit too low|unable to set memory limit|OOM-killed|argument list too long|range of CPUs|nvidia-container-cli: (requirement|mount) error/i.test(
    error.message,
  );
}
