/** Who the worker signs in as: a password file, a file of the server's, the environment, or whoever is asked (execution.md §3). */
import type { Credentials } from '@sheaf/client';
import { CredentialsProblem, readCredentialsFile, readPasswordFile, type Prompt } from '@sheaf/client/node';
import type { CommandLine } from './command-line.ts';
import { StartProblem } from './settings.ts';

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
  if (passwordFile !== undefined) return fromFile(() => readPasswordFile(passwordFile));
  const json = line.value('credentials');
  if (json !== undefined) return fromFile(() => readCredentialsFile(json));
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

async function fromFile(read: () => Promise<Credentials>): Promise<Credentials> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CredentialsProblem) throw new StartProblem(error.message, { cause: error });
    throw error;
  }
}
