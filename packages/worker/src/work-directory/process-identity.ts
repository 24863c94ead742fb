/** Tells a process from a later one of the same number. */
import { readFile } from 'node:fs/promises';
import { systemCode } from '../errors.ts';

/** Number of a process and when it began: the kernel gives numbers out again. Empty where there is no such process. */
export async function processIdentity(pid: number): Promise<string> {
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
