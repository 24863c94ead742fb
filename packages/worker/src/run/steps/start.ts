/** Starts the command of a run, or finds it started by a worker that died before it could note that down. */
import { RuntimeError, type RunHandle, type Runtime } from '@sheaf/runtimes';
import { makeLinks } from '../../layout/links.ts';
import { LayoutProblem } from '../../layout/plan.ts';
import { RunFailure } from '../interruption.ts';
import type { RunRecord, Step } from '../record.ts';
import { prepareImage } from './image.ts';
import { makeRunDirectory } from '../run-directory.ts';
import { runtimeNamed } from '../runtimes.ts';
import { requireSharedDirectory, sharedDirectoryOf } from '../shared-directory.ts';
import { ownershipOf, type Attempt, type RunTools } from '../tools.ts';

export async function start(attempt: Attempt): Promise<Step> {
  const { run, tools } = attempt;
  const { record } = run;
  const runtime = runtimeNamed(tools.runtimes, record.runtime ?? '');
  if (runtime === undefined)
    throw new RunFailure(`This worker has no runtime ${record.runtime}`, 'worker-unfit');
  const handle =
    (run.recovered ? await findStarted(runtime, record) : undefined) ?? (await startAnew(attempt, runtime));
  record.handle = handle;
  record.startedAt ??= tools.clock.now();
  return 'watch';
}

async function startAnew(attempt: Attempt, runtime: Runtime): Promise<RunHandle> {
  const { run, tools } = attempt;
  const { record } = run;
  if (sharedDirectoryOf(record.message) === undefined) {
    await makeRunDirectory(run.directory, ownershipOf(record, tools));
  } else await requireSharedDirectory(record.message);
  record.made = await layOut(run.directory, record);
  try {
    // Not the signal of the step: a worker that ends lets a start that is under way succeed, and the next one goes on from there.
    return await runtime.start(specificationOf(record, run.directory, tools), run.interrupted);
  } catch (error) {
    run.interrupted.throwIfAborted();
    if (error instanceof RuntimeError && error.userError) {
      throw new RunFailure(`Cannot start Docker container: ${error.message}`, 'start-refused', {
        cause: error,
      });
    }
    // Whoever removed it, before anything could keep it: the next attempt finds it again.
    if (error instanceof RuntimeError && error.imageGone)
      await prepareImage(attempt, (text) => run.say(text));
    throw error;
  }
}

async function layOut(directory: string, record: RunRecord): Promise<string[]> {
  try {
    return await makeLinks(directory, record.links);
  } catch (error) {
    if (error instanceof LayoutProblem)
      throw new RunFailure(error.message, 'dependency-refused', { cause: error });
    throw error;
  }
}

function specificationOf(record: RunRecord, directory: string, tools: RunTools) {
  const { bundle, resources } = record.message;
  return {
    uuid: record.uuid,
    epoch: record.epoch,
    command: bundle.command,
    image: record.image,
    directory,
    mounts: record.mounts,
    environment: { HOME: `/${record.uuid}`, CODALAB: 'true' },
    cpuset: record.allocation?.cpus ?? [],
    gpus: record.allocation?.gpus ?? [],
    memory: resources.memory,
    network: resources.network,
    sharedMemory: resources.shared_memory ?? tools.settings.sharedMemory,
  };
}

/**
 * A start that was never noted down. What was made but never ran does not count, nor what broke off on the way: the runtime clears
 * it away itself.
 */
async function findStarted(runtime: Runtime, { uuid, epoch }: RunRecord): Promise<RunHandle | undefined> {
  const handle = (await runtime.list()).find((one) => one.uuid === uuid && one.epoch === epoch);
  if (handle === undefined) return undefined;
  const found = await runtime.recover(handle);
  if (found === undefined) return undefined;
  const ran = found.state === 'running' || (found.exit.startedAt !== null && found.exit.exitCode !== null);
  return ran ? handle : undefined;
}
