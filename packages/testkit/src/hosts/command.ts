/** The system's `ip`, called at once: networks are small, and must also be removed while the process ends. */
import { spawnSync } from 'node:child_process';

/** Runs `ip` and answers its output. @throws Error with what it said */
export function ip(...words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('ip', words, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`ip ${words.join(' ')} ended with ${status}: ${stderr.trim()}`);
  return stdout;
}

/** The same, where what is to be removed may be gone. */
export function ipIfThere(...words: readonly string[]): void {
  spawnSync('ip', words, { stdio: 'ignore' });
}
