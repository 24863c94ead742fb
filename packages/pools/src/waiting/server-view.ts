/** What the server tells an ordinary user about waiting runs and their own workers. */
import {
  currentUser,
  flattenOne,
  searchBundles,
  workersInfo,
  type Bundle,
  type RestClient,
} from '@sheaf/client';
import { defaultRequestSettings, resolveRequest, waitingForWorker, type Metadata } from '@sheaf/domain';
import { SheafError, type Document, type Resource, type WorkerInfo } from '@sheaf/wire';
import type { PoolWorker, Serving, WaitingRun } from '../scaling/waiting-run.ts';
import { StartProblem } from '../settings/start-problem.ts';

export interface ServerView {
  readonly serving: Serving;
  workers(): Promise<WorkerInfo[]>;
  /**
   * Waiting runs, the oldest first, that pass; no more than `most` of them.
   * @param passes looked at for each, so that few are kept of many
   */
  waitingRuns(passes: (run: WaitingRun) => boolean, most: number): Promise<WaitingRun[]>;
}

/** Runs asked for at once, and how often that is done in one look: what waits behind them has its turn when these are done. */
const page = 200;
const mostPages = 25;

export interface ViewOptions {
  readonly username: string;
  readonly group: string | null;
  readonly tag: string | null;
  readonly tagExclusive: boolean;
  readonly search: readonly string[];
}

/** @throws StartProblem, SheafError, ConnectionError */
export async function openServerView(client: RestClient, options: ViewOptions): Promise<ServerView> {
  const user = await currentUser(client);
  // Original servers do not say who is the administrator; there it is the user of this name.
  const everybody = user.is_root_user ?? options.username === 'codalab';
  const members = options.group === null ? new Set<string>() : await membersOf(client, options.group);
  const serving: Serving = { userId: user.id, everybody, members };
  const keywords = keywordsOf(serving, options);
  const paged = !options.search.some((term) => /^\.(?:limit|offset)=/.test(term));
  return {
    serving,
    workers: async () => (await workersInfo(client)).filter((worker) => worker.user_id === user.id),
    async waitingRuns(passes, most) {
      const found: WaitingRun[] = [];
      for (let index = 0; index < (paged ? mostPages : 1) && found.length < most; index += 1) {
        const part = [`.limit=${page}`, `.offset=${index * page}`];
        const bundles = await search(client, [...(paged ? part : []), ...keywords]);
        for (const bundle of bundles) {
          const run = waitingRunOf(bundle);
          if (run !== undefined && passes(run)) found.push(run);
        }
        if (bundles.length < page) break;
      }
      return found.slice(0, most);
    },
  };
}

async function search(client: RestClient, keywords: readonly string[]): Promise<Bundle[]> {
  const found = await searchBundles(client, keywords, { include: ['owner'] });
  if (found.kind === 'bundles') return found.bundles;
  throw new StartProblem(
    'The terms of --search ask for a number, not for runs: leave out .count, .sum and the like.',
  );
}

/** As the original program searches (execution.md §27.2), with the oldest first. */
function keywordsOf(
  { everybody }: Serving,
  { group, tag, tagExclusive, search: terms }: ViewOptions,
): string[] {
  return [
    'state=staged',
    'id=.sort',
    ...(everybody || group !== null ? [] : ['.mine']),
    ...(tag !== null && tagExclusive ? [`request_queue=${tag},tag=${tag}`] : []),
    ...terms,
  ];
}

async function membersOf(client: RestClient, group: string): Promise<ReadonlySet<string>> {
  try {
    const document = await client.json<Document<Resource<Record<string, unknown>>>>(
      'GET',
      `/groups/${encodeURIComponent(group)}`,
    );
    const { owner, admins, members } = flattenOne(document);
    return new Set([owner, admins, members].flat().flatMap(idOf));
  } catch (error) {
    if (!(error instanceof SheafError) || error.code !== 'not-found') throw error;
    throw new StartProblem(`There is no group "${group}" that you are in: see \`cl gls\`.`, { cause: error });
  }
}

function idOf(user: unknown): string[] {
  const id = (user as { id?: unknown } | null | undefined)?.id;
  return typeof id === 'string' ? [id] : [];
}

/** Undefined for what is no run, and for runs whose requests cannot be read: those the server fails itself. */
function waitingRunOf(bundle: Bundle): WaitingRun | undefined {
  if (bundle.bundle_type !== 'run' || bundle.owner === undefined || bundle.owner === null) return undefined;
  const metadata = bundle.metadata as Metadata;
  const request = resolveRequest(metadata, defaultRequestSettings, { time: 0, disk: 0 });
  if (!request.ok) return undefined;
  const { cpus, gpus, memory, disk, queue, imageRequested } = request.value;
  const reason = metadata['staged_status'];
  return {
    uuid: bundle.uuid,
    ownerId: bundle.owner.id,
    controlled: bundle.permission === 2,
    asks: { cpus, gpus, memory, disk },
    queue,
    image: imageRequested,
    reason: typeof reason === 'string' ? reason : '',
  };
}

/** The server has not looked for a worker yet: one that is there may take the run in the next moment. */
export function isFresh({ reason }: WaitingRun): boolean {
  return reason === waitingForWorker || reason === '';
}

export function poolWorkerOf(info: WorkerInfo, workerId: string): PoolWorker {
  const { cpus, gpus, memory_bytes: memory, free_disk_bytes: disk } = info;
  return {
    workerId,
    has: { cpus, gpus, memory, disk: disk ?? Infinity },
    images: info.runtime?.images ?? true,
    busy: info.run_uuids.length > 0,
    runs: info.is_terminating ? 0 : Math.min(info.exit_after_num_runs, info.slots ?? Infinity),
  };
}
