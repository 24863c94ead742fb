/** One at a time among all test processes of this machine, for what several of them prepare and then share. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Does the work while no other process does work of this name. The lock belongs to a child that ends when its input ends: whoever
 * holds it and is killed lets go of it.
 */
export async function inTurn<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const file = join(tmpdir(), `sheaf-test-${name}.lock`);
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  try {
    // Either it is held, or the program is missing or ended, which `ended` throws or tells.
    const first = await Promise.race([once(holder.stdout, 'data'), ended]);
    if (String(first[0]).trim() !== 'held') throw new Error(`The lock ${file} cannot be had`);
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
