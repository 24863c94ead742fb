/** Where a name and a password come from when there is no token: the environment, this machine's server, the user. */
import type { Credentials } from '@sheaf/client';
import { administratorCredentials } from './local-server.ts';
import type { Environment, Places } from './places.ts';

export interface Prompt {
  /** Shows a text and reads one line; empty at the end of input. */
  line(question: string): Promise<string>;
  /** The same without showing what is typed. */
  secret(question: string): Promise<string>;
  note(text: string): void;
}

/** @returns undefined where the user gives no name: requests then go without signing in. */
export async function findCredentials(
  address: string,
  environment: Environment,
  places: Places,
  prompt: () => Promise<Prompt>,
): Promise<Credentials | undefined> {
  const username = environment['CODALAB_USERNAME'];
  const password = environment['CODALAB_PASSWORD'];
  if (username !== undefined && password !== undefined) return { username, password };
  if (username === undefined && password === undefined) {
    const own = administratorCredentials(places, address);
    if (own !== undefined) return own;
  }
  const ask = await prompt();
  ask.note(`Requesting access at ${address}\n`);
  const name = username ?? (await ask.line('Username: '));
  if (name === '') return undefined;
  return { username: name, password: password ?? (await ask.secret('Password: ')) };
}
