/** Flags that old start scripts and worker managers carry, and that decide nothing any more. */
import type { Flag } from './flags.ts';

const section = 'Kept for old start scripts';

export const oldFlags = [
  {
    name: 'ws-server',
    value: 'URL',
    section,
    old: true,
    help: 'Ignored: the server is reached at --server for everything.',
  },
  {
    name: 'checkin-frequency-seconds',
    value: 'N',
    section,
    old: true,
    help: 'Ignored: the server answers as soon as there is something to do.',
  },
  {
    name: 'exit-on-exception',
    section,
    old: true,
    help: 'Ignored: an error in one run ends that run only, and the worker never sleeps over one.',
  },
] as const satisfies readonly Flag[];
