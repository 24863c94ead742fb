import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { registryLogin } from './registry-login.ts';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sheaf-login-'));
  file = join(directory, 'config.json');
});
afterEach(() => rm(directory, { recursive: true }));

const auth = Buffer.from('ada:pass:word?').toString('base64');

async function decoded(repository: string): Promise<unknown> {
  const header = await registryLogin(file, repository);
  return header === undefined
    ? undefined
    : (JSON.parse(Buffer.from(header, 'base64url').toString()) as unknown);
}

it.each([
  ['ghcr.io/a/b', 'ghcr.io'],
  ['ghcr.io/a/b', 'https://ghcr.io/v2/'],
  ['debian', 'https://index.docker.io/v1/'],
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
