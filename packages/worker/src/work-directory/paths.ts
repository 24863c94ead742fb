/** What is where in a work directory. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';

export interface WorkPaths {
  readonly root: string;
  /** Run directories, each under its uuid. */
  readonly runs: string;
  /** What is known about each run. */
  readonly states: string;
  readonly cache: string;
  readonly images: string;
  /** What the sandbox runtime keeps. */
  readonly sandboxes: string;
  /** What the runtimes of runc and Apptainer keep: unpacked images, and runs. */
  readonly containers: string;
  /** Results that the server refused for good, kept for a while. */
  readonly unsent: string;
  /** On its way out. */
  readonly trash: string;
  readonly identity: string;
  readonly lock: string;
}

/** Where in a work directory a worker lives. */
export type Place =
  /** The whole of it. */
  | 'owner'
  /** A part of its own, because another worker was there first (execution.md §16.2). */
  | 'guest'
  /**
   * A part of its own, but for the run directories: workers on machines that may be taken away share those, so that the next one
   * goes on with what a run has left (execution.md §25).
   */
  | 'shared-runs';

export function workPaths(root: string, own: { readonly place: Place; readonly id: string }): WorkPaths {
  const mine = own.place === 'owner' ? root : join(root, 'workers', directoryName(own.id));
  return {
    root: mine,
    runs: join(own.place === 'guest' ? mine : root, 'runs'),
    states: join(mine, 'runs-state'),
    cache: join(mine, 'cache'),
    images: join(mine, 'images.json'),
    sandboxes: join(mine, 'sandboxes'),
    containers: join(mine, 'containers'),
    unsent: join(mine, 'unsent'),
    trash: join(mine, 'trash'),
    identity: join(mine, 'identity'),
    lock: join(mine, 'worker.lock'),
  };
}

/** Longer ones no filesystem takes, what is added to them included. */
const longestName = 200;

/** The id, as far as it can be the name of a directory. */
function directoryName(id: string): string {
  const name = encodeURIComponent(id);
  return name.length <= longestName ? name : createHash('sha256').update(id).digest('hex');
}
