/** A library that gives a program a wrong time of day: loaded by LD_PRELOAD, it reads how wrong from a file. */
import { execFileSync } from 'node:child_process';
import { installPackage } from './packages.ts';
import { requirement } from './requirement.ts';
import { SkipReason } from './skip-reason.ts';

export interface ShiftedClock {
  /** Of the library. */
  readonly path: string;
}

const service = 'a clock that is wrong';

export const requireShiftedClock = requirement<ShiftedClock>(available, async () => ({
  path: library() ?? '',
}));

async function available(): Promise<void> {
  if (library() !== undefined) return;
  await installPackage(service, 'libfaketime');
  if (library() === undefined) throw new SkipReason(service, 'the package libfaketime brought no library');
}

function library(): string | undefined {
  try {
    const files = execFileSync('dpkg', ['-L', 'libfaketime'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return files.split('\n').find((file) => file.endsWith('/libfaketimeMT.so.1'));
  } catch {
    return undefined;
  }
}
