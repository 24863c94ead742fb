/** Who the program and its workers sign in as: a file, the environment, or whoever is asked, as for a worker. */
import type { Credentials } from '@sheaf/client';
import { CredentialsProblem, readCredentialsFile, readPasswordFile, type Prompt } from '@sheaf/client/node';
import type { Settings } from './settings.ts';
import { StartProblem } from './start-problem.ts';

/**
 * @param prompt undefined where nobody can be asked
 * @throws StartProblem where there are none, or where others can read them.
 */
export async function readCredentials(
  { passwordFile, credentialsFile }: Pick<Settings, 'passwordFile' | 'credentialsFile'>,
  environment: Readonly<Record<string, string | undefined>>,
  prompt: Prompt | undefined,
): Promise<Credentials> {
  try {
    if (passwordFile !== null) return await readPasswordFile(passwordFile);
    if (credentialsFile !== null) return await readCredentialsFile(credentialsFile);
  } catch (error) {
    if (error instanceof CredentialsProblem) throw new StartProblem(error.message, { cause: error });
    throw error;
  }
  const username = environment['CODALAB_USERNAME'] ?? '';
  const password = environment['CODALAB_PASSWORD'] ?? '';
  if (username !== '' && password !== '') return { username, password };
  if (prompt === undefined) {
    throw new StartProblem(
      'The workers need a user to sign in as: set CODALAB_USERNAME and CODALAB_PASSWORD, or write both into a file and name it with --password-file.',
    );
  }
  return ask(prompt, username);
}

async function ask(prompt: Prompt, known: string): Promise<Credentials> {
  const username = known === '' ? await prompt.line('User name: ') : known;
  const password = username === '' ? '' : await prompt.secret(`Password of ${username}: `);
  if (password !== '') return { username, password };
  throw new StartProblem('The workers need the name and the password of a user to sign in as.');
}
