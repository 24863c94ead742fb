/** The one place that puts the parts of the worker together. */
import {
  serveSession,
  transferPeer,
  workerProtocol,
  type Authentication,
  type RestClient,
} from '@sheaf/client';
import { proxySettings } from '@sheaf/client/node';
import { sessionConnector } from '@sheaf/client/session';
import type { DetectOptions } from '@sheaf/runtimes';
import { join } from 'node:path';
import { describeRuntimes } from './agent/description.ts';
import { warnOfUnknownGroup } from './agent/group-check.ts';
import { DependencyCache } from './cache/dependency-cache.ts';
import { DependencySource } from './cache/dependency-source.ts';
import { StoreHolder } from './cache/store-holder.ts';
import type { Clock } from './clock.ts';
import { isServerAway } from './errors.ts';
import { hasNoRoom } from './fingerprint/disk.ts';
import { inspectMachine, offeredBy, type Machine } from './fingerprint/machine.ts';
import { ImageCache } from './images/image-cache.ts';
import type { Log } from './log.ts';
import { Precedence } from './prefetch/precedence.ts';
import { ResourcePool } from './resources/pool.ts';
import { allRuntimes, type Runtimes } from './run/runtimes.ts';
import { SavedRuns } from './run/saved-runs.ts';
import { UnsentResults } from './run/unsent-results.ts';
import type { RunTools } from './run/tools.ts';
import { openRuntimes } from './runtimes/open-runtimes.ts';
import { removeOrphans } from './runtimes/orphans.ts';
import { notAServer, startProblemOf } from './settings/start-problem.ts';
import { StartProblem, type RuntimeChoice, type Settings } from './settings/settings.ts';
import {
  clearRunDirectories,
  openWorkDirectory,
  removeWorkDirectory,
  type WorkDirectory,
} from './work-directory/work-directory.ts';
import { Worker } from './worker.ts';

export interface WorkerDependencies {
  /** Speaks to the server. */
  readonly client: RestClient;
  /** Signs in before anything else is done, so that a wrong password is said at once. */
  readonly authentication?: Pick<Authentication, 'token'>;
  readonly environment: NodeJS.ProcessEnv;
  /** Files that no run may see, such as the one with the password. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly log: Log;
  /** Called a while after the last run has gone. */
  readonly idle?: () => void;
  /** How runtimes are found; tests bring their own. */
  readonly openRuntimes?: (choice: RuntimeChoice, options: DetectOptions, log: Log) => Promise<Runtimes>;
}

export interface RunningWorker {
  /** What runs execute in, in words for people. */
  readonly runtime: string;
  /** Takes no more runs, finishes those it has, and ends. */
  drain(): void;
  /** Ends the worker: its runs are left to the next one, or given back to the server where the settings say so. */
  stop(): Promise<void>;
  /** Resolves when the worker has ended, by itself or because it was told to. */
  readonly ended: Promise<void>;
}

/**
 * Starts a worker, which goes on with the runs that one before it has left in the work directory. Returns after the first
 * check-in; where there are runs to go on with, a server that is away is waited for in the background.
 * @throws StartProblem one sentence about what is in the way
 */
export async function startWorker(
  settings: Settings,
  dependencies: WorkerDependencies,
): Promise<RunningWorker> {
  const directory = await openWorkDirectory(settings);
  try {
    return await startIn(directory, settings, dependencies);
  } catch (error) {
    await directory.lock.release();
    throw startProblemOf(error, settings.server);
  }
}

async function startIn(
  directory: WorkDirectory,
  settings: Settings,
  dependencies: WorkerDependencies,
): Promise<RunningWorker> {
  const { log, client } = dependencies;
  const { paths } = directory;
  const saved = await SavedRuns.open(paths.states, log);
  const records = await saved.load();
  const stubborn = (error: unknown) => records.length > 0 && isServerAway(error);
  const [machine, runtimes] = await openMachine(directory, settings, dependencies, stubborn);
  try {
    await removeOrphans(runtimes, records, log);
    if (!settings.preemptible)
      await clearRunDirectories(paths, new Set(records.map(({ uuid }) => uuid)), log);
    const { tools, closeStores } = await openTools(
      directory,
      settings,
      dependencies,
      machine,
      runtimes,
      records.flatMap(({ cached }) => cached),
    );
    const proxy = proxySettings(dependencies.environment);
    const worker = new Worker({
      settings,
      machine,
      protocol: workerProtocol(client, settings.id),
      connectSession: (socketId, handlers) =>
        serveSession(client, settings.id, socketId, sessionConnector(handlers, { proxy })),
      tools,
      saved,
      runDirectories: paths.runs,
      instance: directory.identity,
      idle: dependencies.idle ?? (() => undefined),
      close: async ({ runs }) => {
        await closeStores();
        await closeAll(runtimes);
        if (settings.deleteWorkDirectoryOnExit && runs === 0) {
          await removeWorkDirectory(directory, settings.workDirectory);
        } else await directory.lock.release();
      },
    });
    await startOrStop(worker, () => worker.start(records, { stubborn }));
    if (settings.group !== null) void warnOfUnknownGroup(client, settings.group, log);
    return {
      runtime: describeRuntimes(runtimes),
      drain: () => worker.drain(),
      stop: () => worker.stop(),
      ended: worker.ended,
    };
  } catch (error) {
    await closeAll(runtimes);
    throw error;
  }
}

/** All at once, so that a start is short; what was opened is closed again when something else is in the way. */
async function openMachine(
  directory: WorkDirectory,
  settings: Settings,
  dependencies: WorkerDependencies,
  stubborn: (error: unknown) => boolean,
): Promise<[Machine, Runtimes]> {
  const opening = (dependencies.openRuntimes ?? openRuntimes)(
    settings.runtime,
    detectOptions(directory, settings, dependencies),
    dependencies.log,
  );
  const others = [
    inspectMachine(settings, dependencies.log),
    signIn(dependencies, settings.server, stubborn),
  ] as const;
  const [runtimes] = await Promise.allSettled([opening, ...others]);
  try {
    const [machine] = await Promise.all([...others, opening]);
    const found = await opening;
    return [offeredBy(found.primary.offers, machine, settings), found];
  } catch (error) {
    if (runtimes.status === 'fulfilled') await closeAll(runtimes.value);
    throw error;
  }
}

async function startOrStop(worker: Worker, start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    await worker.stop();
    throw error;
  }
}

async function signIn(
  { authentication }: Pick<WorkerDependencies, 'authentication'>,
  server: string,
  stubborn: (error: unknown) => boolean,
): Promise<void> {
  if (authentication === undefined) return;
  try {
    const token = await authentication.token();
    if (typeof token !== 'string' || token === '') throw notAServer(server);
  } catch (error) {
    // An answer that is no JSON: the page of some other program.
    if (error instanceof SyntaxError) throw notAServer(server, error);
    if (!stubborn(error)) throw error;
  }
}

function detectOptions(
  { paths, identity }: WorkDirectory,
  settings: Settings,
  { environment, secrets }: WorkerDependencies,
): DetectOptions {
  const home = environment['SHEAF_HOME'];
  const hide = [settings.workDirectory, settings.localStore, home, ...secrets];
  const { cluster: access, workDirectory } = settings;
  const node = environment['CODALAB_KUBERNETES_NODE_NAME'] || undefined;
  return {
    environment,
    kubernetes: access === undefined ? undefined : { access, worker: identity, workDirectory, node },
    docker: { worker: identity, networkPrefix: settings.networkPrefix ?? undefined },
    runc: { worker: identity, directory: paths.containers },
    apptainer: { worker: identity, directory: paths.containers },
    sandbox: {
      stateDirectory: paths.sandboxes,
      hide: hide.filter((path): path is string => path !== null && path !== undefined && path !== ''),
    },
  };
}

async function openTools(
  { paths }: WorkDirectory,
  settings: Settings,
  { client, clock, random, log }: WorkerDependencies,
  machine: Machine,
  runtimes: Runtimes,
  mounted: readonly string[],
): Promise<{ tools: Omit<RunTools, 'shutdown'>; closeStores: () => Promise<void> }> {
  const store = new StoreHolder(join(paths.cache, 'store'), { readOnly: false });
  const localStore =
    settings.localStore === null ? undefined : new StoreHolder(settings.localStore, { readOnly: true });
  const source = new DependencySource({
    store,
    localStore,
    peer: (bundle) => transferPeer(client, bundle),
    log,
  });
  const precedence = new Precedence();
  const cache = await DependencyCache.open({
    precedence,
    mounted,
    directory: paths.cache,
    limit: settings.cacheLimit,
    verify: settings.verifyDependencies,
    attempts: settings.downloadAttempts,
    source,
    store,
    clock,
    random,
    log,
  });
  const images = await ImageCache.open({
    path: paths.images,
    limit: settings.imageCacheLimit,
    runtime: runtimes.primary,
    clock,
    log,
  });
  const gpus = usableGpus(runtimes, machine.gpus, settings, log);
  const tools = {
    settings,
    runtimes,
    images,
    cache,
    precedence,
    resources: new ResourcePool({ cpus: machine.cpus, gpus, slots: settings.slots }),
    results: (uuid: string, epoch: number) => transferPeer(client, uuid, { epoch, finalize: false }),
    diskIsFull: () => hasNoRoom(settings.workDirectory),
    unsent: new UnsentResults({ directory: paths.unsent, clock, log }),
    clock,
    random,
    log,
  };
  return { tools, closeStores: async () => void (await Promise.all([store.close(), localStore?.close()])) };
}

/**
 * None where the runtime cannot hand them to runs.
 * @throws StartProblem where the owner has named some
 */
function usableGpus(
  { primary }: Runtimes,
  gpus: readonly string[],
  settings: Settings,
  log: Log,
): readonly string[] {
  if (gpus.length === 0 || primary.capabilities.gpus) return gpus;
  const sentence = `This machine has GPUs, but ${primary.name} cannot give them to runs: install the NVIDIA container toolkit and register its runtime with the engine (\`nvidia-ctk runtime configure\`)`;
  if (settings.gpus !== 'all') throw new StartProblem(`${sentence}, or use --gpuset NONE.`);
  log.warn({ gpus }, `${sentence}. Runs that need GPUs go elsewhere.`);
  return [];
}

async function closeAll(runtimes: Runtimes): Promise<void> {
  await Promise.all(allRuntimes(runtimes).map((runtime) => runtime.close()));
}
