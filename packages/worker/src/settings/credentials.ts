/** Who the worker signs in as: a password file, a file of the server's, the environment, or whoever is asked (execution.md §3). */
import type { Credentials } from '@sheaf/client';
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { CommandLine } from './command-line.ts';
import type { Prompt } from './prompt.ts';
import { StartProblem } from './settings.ts';

const credentialsFile = z.object({ username: z.string().min(1), password: z.string() });

/**
 * @param prompt undefined where nobody can be asked
 * @throws StartProblem where there are none, or where others can read them.
 */
export async function readCredentials(
  line: CommandLine,
  environment: Readonly<Record<string, string | undefined>>,
  prompt: Prompt | undefined,
): Promise<Credentials> {
  const passwordFile = line.value('password-file');
  if (passwordFile !== undefined) return fromPasswordFile(passwordFile);
  const json = line.value('credentials');
  if (json !== undefined) return fromJsonFile(json);
  const username = environment['CODALAB_USERNAME'] ?? '';
  const password = environment['CODALAB_PASSWORD'] ?? '';
  if (username !== '' && password !== '') return { username, password };
  if (prompt === undefined) {
    throw new StartProblem(
      'The worker needs a user to sign in as: set CODALAB_USERNAME and CODALAB_PASSWORD, or write both into a file and name it with --password-file.',
    );
  }
  return ask(prompt, { username, password });
}

async function ask(prompt: Prompt, known: Credentials): Promise<Credentials> {
  const username = known.username || (await prompt.line('User name: '));
  if (username === '') throw new StartProblem('The worker needs the name of a user to sign in as.');
  const password = known.password || (await prompt.secret(`Password of ${username}: `));
  if (password === '') throw new StartProblem(`The worker needs the password of ${username}.`);
  return { username, password };
}

async function fromPasswordFile(path: string): Promise<Credentials> {
  const text = await privateText(path);
  const [username = '', password] = text.split(/\r?\n/);
  if (username !== '' && password !== undefined && password !== '') return { username, password };
  throw new StartProblem(`${path} must hold the user name on its first line and the password on its second.`);
}

async function fromJsonFile(path: string): Promise<Credentials> {
  const text = await privateText(path);
  try {
    return credentialsFile.parse(JSON.parse(text));
  } catch (error) {
    throw new StartProblem(`${path} must hold JSON with "username" and "password".`, { cause: error });
  }
}

/** @throws StartProblem where the file cannot be read, or where others can. */
async function privateText(path: string): Promise<string> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new StartProblem(`Others may have access to the password in ${path}: run \`chmod 600 ${path}\`.`);
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof StartProblem) throw error;
    throw new StartProblem(`The file with the password cannot be read: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}
