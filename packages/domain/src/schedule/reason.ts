import { formatSize } from '../units/size.ts';
import type { Candidates } from './candidates.ts';
import {
  canRunImage,
  couldHaveRoom,
  hasRoom,
  isLargeEnough,
  mayTake,
  isFull,
  tagMatches,
  type Asker,
  type WorkerView,
} from './pool.ts';
import type { ResourceRequest } from './request.ts';
import { shortfallHint } from './shortfalls.ts';

/** How the sentence begins that says no worker qualifies; clients match it (execution.md §13.3). */
export const noWorkerText = "No worker can meet your bundle's resource requirements.";

/** Which waiting runs are served before a run: nobody's, the user's own of a higher priority, or others. */
export type Ahead = 'nobody' | 'own priority' | 'others';

export interface WaitingCase {
  /** Whether the owner has parallel runs left. */
  mayUseCommon: boolean;
  rootUserId: string;
  /** The owner's runs on workers of others; said where the quota is what is waited for. */
  runsElsewhere: number;
  ahead: Ahead;
}

/** Why a run waits and what would let it start, for a run that no worker qualifies for (execution.md §13.3). */
export function waitingReason(
  run: Asker,
  request: ResourceRequest,
  { near, common }: Candidates,
  given: WaitingCase,
): string {
  const connected = [...near, ...common];
  if (connected.length === 0) {
    return `${noWorkerText} No worker is connected that may take your runs: start one with cl-worker, or ask whoever runs this server.`;
  }
  const staying = connected.filter(({ worker }) => !worker.terminating);
  if (staying.length === 0) {
    return `${noWorkerText} Every worker that may take your runs is shutting down: the run goes to the next one that starts.`;
  }
  const willing = staying.filter((view) => mayTake(view, run, given.rootUserId));
  const inQueue = (view: WorkerView): boolean => tagMatches(view.worker, request.queue);
  const barred = staying.some((view) => !willing.includes(view) && inQueue(view));
  if (willing.length === 0 || (barred && !willing.some(inQueue))) {
    return `${noWorkerText} The workers shared with you belong to users who may not control this run: grant their owner the permission "all", or start a worker of your own.`;
  }
  const suited = willing.filter((view) => canRunImage(view, request));
  if (suited.length === 0 || onlyImageIsMissing(willing, suited, request)) {
    return `${noWorkerText} The run names a Docker image, and every worker that could take it runs commands without images: start a worker with Docker, or run without --request-docker-image.`;
  }
  const allowed = suited.filter((view) => !run.avoid.has(view.worker.key));
  if (allowed.length === 0) {
    return `${noWorkerText} Every worker that could take the run has failed to execute it; it is tried there again a little later. Starting another worker helps at once.`;
  }
  const isCommon = new Set(common);
  const possible = allowed.filter((view) => couldHaveRoom(view, request));
  const heldBack = possible.filter((view) => isCommon.has(view));
  const onlyHeldBack = heldBack.length === possible.length || heldBack.some((view) => hasRoom(view, request));
  if (!given.mayUseCommon && heldBack.length > 0 && onlyHeldBack) return quotaText(given.runsElsewhere);
  const hint = shortfallHint(allowed, request);
  return `${noWorkerText} Available resources: ${hint}. ${advice(allowed, request, given.ahead)}`;
}

function onlyImageIsMissing(
  willing: readonly WorkerView[],
  suited: readonly WorkerView[],
  request: ResourceRequest,
): boolean {
  const room = (view: WorkerView): boolean => couldHaveRoom(view, request);
  return !suited.some(room) && willing.some(room);
}

function quotaText(runsElsewhere: number): string {
  const runs = `${runsElsewhere} ${runsElsewhere === 1 ? 'run' : 'runs'}`;
  return runsElsewhere === 0
    ? 'Your quota allows you no runs on shared workers: this one starts on a worker of your own.'
    : `You have ${runs} on shared workers, as many as your quota allows at once: this one starts when one of them ends, or on a worker of your own.`;
}

function advice(views: readonly WorkerView[], request: ResourceRequest, ahead: Ahead): string {
  if (views.some((view) => couldHaveRoom(view, request))) {
    return `The run starts when runs that are under way there have ended${after[ahead]}.`;
  }
  const tagged = views.filter((view) => tagMatches(view.worker, request.queue));
  if (tagged.length === 0) {
    return request.queue === ''
      ? 'Every worker is reserved for a queue: name one with --request-queue, or start another worker.'
      : 'No worker serves the queue: start one with that tag, or name another queue.';
  }
  const large = tagged.filter((view) => isLargeEnough(view, request));
  if (large.length > 0) {
    return large.every((view) => view.runsLeft <= 0)
      ? 'The workers that are large enough were told to end after a number of runs and take no more: start another one.'
      : 'The workers that are large enough are told to hold no runs: start one with more --slots.';
  }
  if (tagged.some((view) => isFull(view, request))) {
    return 'The disk of the worker is full: the run starts when there is room on it again, or on another one.';
  }
  return `No worker is large enough: the most that any has is ${most(tagged, request)}. Ask for less, or start a larger one.`;
}

const after: Readonly<Record<Ahead, string>> = {
  nobody: '',
  'own priority': ', after runs of yours with a higher priority',
  others: ', after waiting runs that come before it',
};

/** What the largest workers have of everything that some worker has too little of. */
function most(views: readonly WorkerView[], request: ResourceRequest): string {
  const largest = (key: 'cpus' | 'gpus' | 'memory' | 'disk'): number =>
    Math.max(...views.map(({ total }) => total[key] ?? 0));
  const named = [
    { asked: request.cpus, has: largest('cpus'), text: (value: number) => `${value} CPUs` },
    { asked: request.gpus, has: largest('gpus'), text: (value: number) => `${value} GPUs` },
    {
      asked: request.memory,
      has: largest('memory'),
      text: (value: number) => `${formatSize(value)} memory`,
    },
    { asked: request.disk, has: largest('disk'), text: (value: number) => `${formatSize(value)} free disk` },
  ];
  const short = named.filter(({ asked, has }) => has < asked);
  // Each has enough of one thing and too little of another: then all of it matters.
  return (short.length > 0 ? short : named.filter(({ asked }) => asked > 0))
    .map(({ has, text }) => text(has))
    .join(', ');
}
