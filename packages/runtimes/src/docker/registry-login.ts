/** Logins of private registries, as `docker login` saved them: in its configuration file, or with a helper that it names. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrno } from '../files/errno.ts';
import { RuntimeError } from '../port.ts';
import { askHelper, type Credentials } from './credential-helper.ts';
import { registryOf } from './reference.ts';

const Configuration = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
  /** The helper for all registries. */
  credsStore: z.string().optional(),
  /** Helpers for some. */
  credHelpers: z.record(z.string(), z.string()).optional(),
});
type Configuration = z.infer<typeof Configuration>;

export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
  /** Stands for name and password, where the registry gave one out. */
  readonly identitytoken?: string;
}

export function defaultLoginFile(environment: NodeJS.ProcessEnv): string {
  return join(environment['DOCKER_CONFIG'] ?? join(homedir(), '.docker'), 'config.json');
}

/**
 * The login for a repository; undefined when there is none for its registry. The file is read each time: `docker login` on a
 * running worker takes effect at once.
 * @throws RuntimeError the file is there but unreadable
 */
export async function registryLogin(file: string, repository: string): Promise<RegistryLogin | undefined> {
  const configuration = await readConfiguration(file);
  const registry = registryOf(repository);
  return savedLogin(configuration, registry) ?? (await helpersLogin(configuration, registry));
}

/** The value of the `X-Registry-Auth` header. Engines insist on the padding that Node leaves out. */
export function encodeLogin(login: RegistryLogin): string {
  return Buffer.from(JSON.stringify(login)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

function savedLogin({ auths = {} }: Configuration, registry: string): RegistryLogin | undefined {
  const entry = keyOf(auths, registry)?.[1];
  if (entry?.auth === undefined) {
    return undefined;
  }
  const plain = Buffer.from(entry.auth, 'base64').toString('utf8');
  const colon = plain.indexOf(':');
  return {
    username: plain.slice(0, colon),
    password: plain.slice(colon + 1),
    serveraddress: registry,
    ...(entry.identitytoken === undefined ? {} : { identitytoken: entry.identitytoken }),
  };
}

async function helpersLogin(
  { auths = {}, credHelpers = {}, credsStore }: Configuration,
  registry: string,
): Promise<RegistryLogin | undefined> {
  const helper = keyOf(credHelpers, registry)?.[1] ?? credsStore;
  if (helper === undefined) {
    return undefined;
  }
  // The keychain knows the registry by the name that was given to `docker login`, which the file still lists.
  const known = keyOf(auths, registry)?.[0] ?? registry;
  const credentials = await askHelper(helper, known);
  return credentials && loginOf(credentials, registry);
}

function loginOf({ username, secret }: Credentials, registry: string): RegistryLogin {
  return username === '<token>'
    ? { username: '', password: '', serveraddress: registry, identitytoken: secret }
    : { username, password: secret, serveraddress: registry };
}

function keyOf<Value>(
  values: Readonly<Record<string, Value>>,
  registry: string,
): [string, Value] | undefined {
  return Object.entries(values).find(([name]) => name === registry || hostOf(name) === hostOf(registry));
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
