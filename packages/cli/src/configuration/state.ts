/** `state.json`: who is signed in, and which worksheet each session is on (cli.md §2.9). */
import { readJsonFile, updateJsonFile } from '@sheaf/client/node';
import { asObject } from './config.ts';

export interface Session {
  readonly address: string;
  /** Empty means the home worksheet. */
  readonly worksheet_uuid: string;
}

/** What is stored of a session; undefined where it is new. @throws InvalidJsonFileError */
export function readSession(path: string, name: string): Session | undefined {
  const session = asObject(asObject(asObject(readJsonFile(path))['sessions'])[name]);
  const { address, worksheet_uuid: worksheet } = session;
  if (typeof address !== 'string' || address === '') return undefined;
  return { address, worksheet_uuid: typeof worksheet === 'string' ? worksheet : '' };
}

export interface ThisMachine {
  readonly hostname: string;
  readonly isAlive: (pid: number) => boolean;
}

/**
 * Stores a session and forgets those of processes that have ended. Sessions that were stored on another machine, or by
 * another client that did not say where, are left alone: their processes cannot be seen from here.
 */
export function writeSession(
  path: string,
  name: string,
  session: Session,
  machine: ThisMachine,
): Promise<void> {
  return updateJsonFile(path, (current) => {
    const file = asObject(current);
    const kept = Object.entries(asObject(file['sessions'])).filter(([other, stored]) => {
      const ours = asObject(stored)['host'] === machine.hostname;
      return !ours || !/^\d+$/.test(other) || machine.isAlive(Number(other));
    });
    const sessions = { ...Object.fromEntries(kept), [name]: { ...session, host: machine.hostname } };
    return { auth: {}, ...file, sessions };
  });
}
