import { createHash } from 'node:crypto';
import type { Settings } from './settings.ts';

/** Equal for all starts of one pool, so that it finds its jobs again: whose workers for whom. Eight hexadecimal digits. */
export function poolKey({ server, worker }: Settings): string {
  const parts = [server, worker.tag, worker.tagExclusive, worker.group];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 8);
}
