/** One worker for a work directory: two would fight over the same runs. */
import { open, readFile, rm } from 'node:fs/promises';
import { systemCode } from '../errors.ts';
import { StartProblem } from '../settings/settings.ts';

export interface Lock {
  release(): Promise<void>;
}

/** @throws StartProblem where another worker that is alive has it. */
export async function lockDirectory(path: string, shown: string): Promise<Lock> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        await file.writeFile(await identityOf(process.pid));
      } finally {
        await file.close();
      }
      return { release: () => rm(path, { force: true }) };
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    const holder = await liveHolder(path);
    if (holder !== undefined || attempt > 0) {
      throw new StartProblem(
        `Another worker (process ${holder ?? 'unknown'}) uses ${shown}: stop it, or give this one another --work-dir.`,
      );
    }
    await rm(path, { force: true });
  }
}

/** The process that has the lock; undefined where it died without letting go. */
async function liveHolder(path: string): Promise<string | undefined> {
  const written = await readFile(path, 'utf8');
  const pid = /^\d+/.exec(written)?.[0];
  if (pid === undefined || Number(pid) === process.pid) return undefined;
  return (await identityOf(Number(pid))) === written ? pid : undefined;
}

/** Number of a process and when it began: the kernel gives numbers out again. */
async function identityOf(pid: number): Promise<string> {
  if (!isAlive(pid)) return '';
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold blanks; the time of the start is the 20th field behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${pid} ${fields[19] ?? ''}`;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return `${pid} `;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
