/** Name and password in a file that is its owner's alone: two lines, or JSON as a server keeps it (execution.md §3). */
import { readFile, stat } from 'node:fs/promises';
import type { Credentials } from '../sign-in.ts';

/** The file cannot be used: one sentence that says what to do. */
export class CredentialsProblem extends Error {
  override readonly name = 'CredentialsProblem';
}

/** User name on the first line, password on the second. @throws CredentialsProblem */
export async function readPasswordFile(path: string): Promise<Credentials> {
  const text = await privateText(path);
  const [username = '', password] = text.split(/\r?\n/);
  if (username !== '' && password !== undefined && password !== '') return { username, password };
  throw new CredentialsProblem(
    `${path} must hold the user name on its first line and the password on its second.`,
  );
}

/** JSON with "username" and "password". @throws CredentialsProblem */
export async function readCredentialsFile(path: string): Promise<Credentials> {
  const credentials = credentialsOf(await privateText(path));
  if (credentials !== undefined) return credentials;
  throw new CredentialsProblem(`${path} must hold JSON with "username" and "password".`);
}

function credentialsOf(text: string): Credentials | undefined {
  try {
    const { username, password } = JSON.parse(text) as Record<string, unknown>;
    if (typeof username !== 'string' || username === '' || typeof password !== 'string') return undefined;
    return { username, password };
  } catch {
    return undefined;
  }
}

/** @throws CredentialsProblem where the file cannot be read, or where others can. */
async function privateText(path: string): Promise<string> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new CredentialsProblem(
        `Others may have access to the password in ${path}: run \`chmod 600 ${path}\`.`,
      );
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof CredentialsProblem) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CredentialsProblem(`The file with the password cannot be read: ${reason}.`, { cause: error });
  }
}
