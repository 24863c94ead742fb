/** Logins of private registries, as `docker login` saved them in its configuration file. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrno } from '../files/errno.ts';
import { RuntimeError } from '../port.ts';
import { registryOf } from './reference.ts';

const Configuration = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
});
type Configuration = z.infer<typeof Configuration>;

export function defaultLoginFile(environment: NodeJS.ProcessEnv): string {
  return join(environment['DOCKER_CONFIG'] ?? join(homedir(), '.docker'), 'config.json');
}

/**
 * The value of the `X-Registry-Auth` header for a repository; undefined when there is no login for its registry. The file
 * is read each time: `docker login` on a running worker takes effect at once.
 * @throws RuntimeError the file is there but unreadable
 */
export async function registryLogin(file: string, repository: string): Promise<string | undefined> {
  const configuration = await readConfiguration(file);
  const registry = registryOf(repository);
  const entry = Object.entries(configuration.auths ?? {}).find(
    ([name]) => name === registry || hostOf(name) === hostOf(registry),
  )?.[1];
  if (entry?.auth === undefined) {
    return undefined;
  }
  const plain = Buffer.from(entry.auth, 'base64').toString('utf8');
  const colon = plain.indexOf(':');
  const login = {
    username: plain.slice(0, colon),
    password: plain.slice(colon + 1),
    serveraddress: registry,
    ...(entry.identitytoken === undefined ? {} : { identitytoken: entry.identitytoken }),
  };
  return paddedBase64Url(JSON.stringify(login));
}

/** Engines insist on the padding that Node leaves out. */
function paddedBase64Url(text: string): string {
  return Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

async function readConfiguration(file: string): Promise<Configuration> {
  try {
    return Configuration.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) {
      return {};
    }
    throw new RuntimeError(`The registry logins in ${file} cannot be read`, {
      userError: false,
      cause: error,
    });
  }
}

function hostOf(name: string): string {
  return name.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}
