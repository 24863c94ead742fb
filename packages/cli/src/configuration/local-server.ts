/** The Sheaf server of this machine: where it is, and its administrator's account for who may read it. */
import { readFileSync, statSync } from 'node:fs';
import { readJsonFile } from '@sheaf/client/node';
import type { Credentials } from '@sheaf/client';
import { asObject } from './config.ts';
import type { Places } from './places.ts';

export const standardAddress = 'http://127.0.0.1:2900';

/** What the server wrote when it started; undefined where there has been none. */
export function localServerAddress(places: Places): string | undefined {
  const { url } = asObject(readJsonFile(places.server));
  return typeof url === 'string' && url !== '' ? url.replace(/\/+$/, '') : undefined;
}

/**
 * The account that the first start of the server made, if `address` is that server, and the file is ours and nobody
 * else's: then it is read instead of asked for.
 */
export function administratorCredentials(places: Places, address: string): Credentials | undefined {
  if (localServerAddress(places) !== address) return undefined;
  const found = statSync(places.administrator, { throwIfNoEntry: false });
  if (found === undefined || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) return undefined;
  const { username, password } = asObject(JSON.parse(readFileSync(places.administrator, 'utf8')));
  return typeof username === 'string' && typeof password === 'string' ? { username, password } : undefined;
}
