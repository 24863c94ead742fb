/** A real image registry on a loopback port, which engines use without TLS. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forgetRegistry } from '../images/engine-images.ts';
import { startProcess, type StartedProcess } from '../processes.ts';
import { requireProgram } from './packages.ts';
import { requirement } from './requirement.ts';

export interface Registry {
  /** `127.0.0.1:<port>`, the first part of the names of its images. */
  readonly address: string;
  /** Ends it and removes what it kept, and the names that the engine has for its images. */
  stop(): Promise<void>;
}

export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

const service = 'image registry';

async function available(): Promise<void> {
  await requireProgram(service, 'docker-registry', 'docker-registry');
}

/** A registry open to everybody, empty. */
export const requireRegistry = requirement<Registry>(available, () => startRegistry(undefined));

/** The only user of a private registry, with the hash its file of passwords needs. */
export const registryLogin: RegistryLogin = { username: 'reader', password: 'letter-by-letter' };
const passwordFile = `${registryLogin.username}:$2b$04$1WtjoIM0vkzOHkte6XWkV.DhY4byJGAtD4qyHT5RqZ6gLIqr1rFW2\n`;

/** A registry that asks for `registryLogin`, empty. */
export const requirePrivateRegistry = requirement<Registry>(available, () => startRegistry(passwordFile));

async function startRegistry(passwords: string | undefined): Promise<Registry> {
  const program = await requireProgram(service, 'docker-registry', 'docker-registry');
  const directory = await mkdtemp(join(tmpdir(), 'sheaf-registry-'));
  const configuration = join(directory, 'config.json');
  const secrets = join(directory, 'passwords');
  if (passwords !== undefined) {
    await writeFile(secrets, passwords);
  }
  // JSON is YAML.
  await writeFile(
    configuration,
    JSON.stringify({
      version: '0.1',
      storage: { filesystem: { rootdirectory: join(directory, 'storage') }, delete: { enabled: true } },
      http: { addr: '127.0.0.1:0' },
      ...(passwords === undefined ? {} : { auth: { htpasswd: { realm: 'tests', path: secrets } } }),
    }),
  );
  const child = startProcess(program, ['serve', configuration]);
  try {
    const [, port = ''] = await child.waitForOutput(/listening on 127\.0\.0\.1:(\d+)/);
    const address = `127.0.0.1:${port}`;
    return {
      address,
      async stop() {
        await forgetRegistry(address);
        await end(child, directory);
      },
    };
  } catch (error) {
    await end(child, directory);
    throw error;
  }
}

async function end(child: StartedProcess, directory: string): Promise<void> {
  await child.stop();
  await rm(directory, { recursive: true, force: true });
}
