import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeLogin, registryLogin } from './registry-login.ts';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sheaf-login-'));
  file = join(directory, 'config.json');
});
afterEach(() => rm(directory, { recursive: true }));

const auth = Buffer.from('ada:pass:word?').toString('base64');

async function decoded(repository: string): Promise<unknown> {
  const login = await registryLogin(file, repository);
  return login && (JSON.parse(Buffer.from(encodeLogin(login), 'base64url').toString()) as unknown);
}

it.each([
  ['ghcr.io/a/b', 'ghcr.io'],
  ['ghcr.io/a/b', 'https://ghcr.io/v2/'],
  ['debian', 'https://index.docker.io/v1/'],
  ['docker.io/library/debian', 'https://index.docker.io/v1/'],
])('a login for %s is found under %s', async (repository, key) => {
  await writeFile(
    file,
    JSON.stringify({ auths: { other: { auth: 'eDp5' }, [key]: { auth } }, credsStore: 'x' }),
  );

  expect(await decoded(repository)).toMatchObject({ username: 'ada', password: 'pass:word?' });
});

it('there is none where nobody logged in', async () => {
  expect(await decoded('ghcr.io/a/b')).toBeUndefined();
  await writeFile(file, '{}');
  expect(await decoded('ghcr.io/a/b')).toBeUndefined();
  await writeFile(file, JSON.stringify({ auths: { 'ghcr.io': {} } }));
  expect(await decoded('ghcr.io/a/b')).toBeUndefined();
});

it('a damaged file is an error that names it', async () => {
  await writeFile(file, '{');

  await expect(registryLogin(file, 'ghcr.io/a/b')).rejects.toThrow(file);
});

describe('logins that a helper keeps', () => {
  const path = process.env['PATH'] ?? '';
  beforeEach(() => {
    process.env['PATH'] = `${directory}:${path}`;
  });
  afterEach(() => {
    process.env['PATH'] = path;
  });

  async function helper(name: string, script: string): Promise<void> {
    await writeFile(join(directory, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, `docker-credential-${name}`), 0o755);
  }

  it('are asked for under the name that the file knows', async () => {
    await helper('keys', `read registry; echo "{\\"Username\\": \\"$1\\", \\"Secret\\": \\"$registry\\"}"`);
    const auths = { 'https://ghcr.io/v2/': {} };
    await writeFile(file, JSON.stringify({ auths, credsStore: 'keys' }));

    expect(await decoded('ghcr.io/a/b')).toMatchObject({
      username: 'get',
      password: 'https://ghcr.io/v2/',
      serveraddress: 'ghcr.io',
    });
  });

  it('may be tokens, and each registry may have a helper of its own', async () => {
    await helper('own', `cat > /dev/null; echo '{"Username": "<token>", "Secret": "t"}'`);
    await helper('common', 'exit 1');
    await writeFile(file, JSON.stringify({ credHelpers: { 'ghcr.io': 'own' }, credsStore: 'common' }));

    expect(await decoded('ghcr.io/a/b')).toMatchObject({ identitytoken: 't' });
    expect(await decoded('quay.io/a/b')).toBeUndefined();
  });

  it('are none where the helper is missing or talks nonsense', async () => {
    await helper('odd', 'echo hello');
    for (const credsStore of ['missing', 'odd', '../odd']) {
      await writeFile(file, JSON.stringify({ credsStore }));
      expect(await decoded('ghcr.io/a/b')).toBeUndefined();
    }
  });
});
