/** What is where in a work directory. */
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
  /** Results that the server refused for good, kept for a while. */
  readonly unsent: string;
  /** On its way out. */
  readonly trash: string;
  readonly identity: string;
  readonly lock: string;
}

/**
 * Workers on machines that may be taken away can share one directory: the next one goes on with what a run has left
 * (execution.md §25). Each then has everything but the run directories for itself.
 */
export function workPaths(root: string, own: { readonly shared: boolean; readonly id: string }): WorkPaths {
  const mine = own.shared ? join(root, 'workers', encodeURIComponent(own.id)) : root;
  return {
    root: mine,
    runs: join(root, 'runs'),
    states: join(mine, 'runs-state'),
    cache: join(mine, 'cache'),
    images: join(mine, 'images.json'),
    sandboxes: join(mine, 'sandboxes'),
    unsent: join(mine, 'unsent'),
    trash: join(mine, 'trash'),
    identity: join(mine, 'identity'),
    lock: join(mine, 'worker.lock'),
  };
}
