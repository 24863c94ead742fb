/** Puts the runc runtime of a worker together. */
import { performance } from 'node:perf_hooks';
import { join } from 'node:path';
import { canExecute } from '../docker/architecture.ts';
import { isPlain } from '../docker/plain-registry.ts';
import { defaultLoginFile, registryLogin } from '../docker/registry-login.ts';
import type { EngineAddress } from '../engine/address.ts';
import { EngineClient } from '../engine/client.ts';
import { EngineError, EngineUnreachableError } from '../engine/errors.ts';
import type { Info } from '../engine/schema.ts';
import { ImageStore } from '../image-store/image-store.ts';
import { UnpackedImages } from '../image-store/prepare.ts';
import { removeLeftExports } from '../image-store/sources.ts';
import { RuntimeError, type Runtime } from '../port.ts';
import { listRecords } from '../sandbox/record.ts';
import { makeHostFiles } from './host-files.ts';
import { RuncNetworks } from './network.ts';
import { findRunc } from './probe.ts';
import { readRuncRecord, runcPaths } from './record.ts';
import { RuncRuntime } from './runtime.ts';

export interface RuncRuntimeOptions {
  /** Directory of this worker alone: unpacked images and runs. Not on a file system that overlays cannot be laid on. */
  readonly directory: string;
  /** Identity of the worker. */
  readonly worker: string;
  /** Default `runc`, looked up on the PATH. */
  readonly program?: string | undefined;
  /** An engine on this machine whose images are used; nothing happens where none answers. */
  readonly engine?: EngineAddress | undefined;
  /** Processes and threads a run may have at once; default 32768. */
  readonly processLimit?: number | undefined;
  /** Docker's configuration file with registry logins; default `$DOCKER_CONFIG/config.json`, else in the home directory. */
  readonly loginFile?: string | undefined;
}

/** @throws RuntimeError runc is not there, or may not be used; the message is half a sentence */
export async function connectRuncRuntime(options: RuncRuntimeOptions): Promise<Runtime> {
  const program = options.program ?? 'runc';
  const stateDirectory = join(options.directory, 'runs');
  const answer = await findRunc(program, join(options.directory, 'probes'));
  if (!answer.available) {
    throw new RuncMissing(answer.reason, answer.advice);
  }
  const engine = await engineAt(options.engine, options.worker);
  const store = await ImageStore.open(join(options.directory, 'images'));
  const loginFile = options.loginFile ?? defaultLoginFile(process.env);
  const architecture = ownArchitecture();
  const images = new UnpackedImages({
    store,
    engine: engine?.client,
    worker: options.worker,
    login: (repository) => registryLogin(loginFile, repository),
    isPlain: (registry) => isPlain(registry, engine?.info ?? {}),
    architecture,
    canExecute: (made) => canExecute(made, architecture),
    inUse: (id) => isUsed(stateDirectory, id),
    now: () => performance.now(),
  });
  const networks = new RuncNetworks();
  await networks.prepare();
  return new RuncRuntime({
    program,
    version: answer.version,
    stateDirectory,
    groups: answer.groups,
    store,
    images,
    source: engine === undefined ? 'images from registries' : 'images from registries and the engine here',
    networks,
    files: await makeHostFiles(join(options.directory, 'files')),
    processLimit: options.processLimit ?? 32_768,
    close: async () => {
      engine?.client.close();
      await networks.release();
    },
  });
}

/** Why runc cannot be used here, and what would help. */
export class RuncMissing extends RuntimeError {
  readonly advice: string | undefined;
  constructor(reason: string, advice: string | undefined) {
    super(reason, { userError: false });
    this.advice = advice;
  }
}

async function engineAt(
  address: EngineAddress | undefined,
  worker: string,
): Promise<{ client: EngineClient; info: Info } | undefined> {
  if (address === undefined) return undefined;
  let client: EngineClient | undefined;
  try {
    client = await EngineClient.connect(address, AbortSignal.timeout(5_000));
    await removeLeftExports(client, worker);
    return { client, info: await client.info() };
  } catch (error) {
    client?.close();
    // Registries have the images too.
    if (error instanceof EngineError || error instanceof EngineUnreachableError) return undefined;
    throw error;
  }
}

async function isUsed(stateDirectory: string, image: string): Promise<boolean> {
  for (const { uuid, epoch } of await listRecords(stateDirectory)) {
    const record = readRuncRecord(runcPaths(stateDirectory, uuid, epoch));
    if (record?.image === image) return true;
  }
  return false;
}

/** As images call it. */
function ownArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
  return names[process.arch] ?? process.arch;
}
