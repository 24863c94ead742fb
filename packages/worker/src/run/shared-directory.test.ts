/* How a worker sees that paths are the server's, and what it leaves there (execution.md §24). */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { excludeMatcher } from '@sheaf/domain';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runMessageFor } from '../testing/run-message.ts';
import { RunFailure } from './interruption.ts';
import { newRecord } from './record.ts';
import { requireSharedDirectory, sharedDirectoryOf, tidySharedDirectory } from './shared-directory.ts';
import { useSharedDependencies } from './steps/shared-dependencies.ts';
import type { Attempt } from './tools.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sheaf-shared-'));
  mkdirSync(join(root, 'run'));
  mkdirSync(join(root, 'data'));
  writeFileSync(join(root, 'data', 'file'), 'x');
  symlinkSync('file', join(root, 'data', 'inside'));
  symlinkSync('/etc', join(root, 'data', 'outside'));
  writeFileSync(join(root, 'marker'), 'secret');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function message(path = '', text = 'secret', location = join(root, 'run')) {
  const plain = runMessageFor();
  const dependency = {
    parent_uuid: '0xp',
    parent_name: 'p',
    parent_path: path,
    child_uuid: plain.bundle.uuid,
  };
  return {
    ...plain,
    shared_marker: { path: join(root, 'marker'), text },
    bundle: {
      ...plain.bundle,
      location,
      dependencies: [{ ...dependency, child_path: 'in', location: join(root, 'data') }],
    },
  };
}

const placed = async (path: string) => {
  const record = newRecord(message(path), 0);
  await useSharedDependencies({ run: { record } } as unknown as Attempt);
  return record;
};

it('happens where the server says, if the server says that it shares', () => {
  expect(sharedDirectoryOf(message())).toBe(join(root, 'run'));
  expect(sharedDirectoryOf(runMessageFor())).toBeUndefined();
});

it('finds the server’s own files', async () => {
  await expect(requireSharedDirectory(message())).resolves.toBeUndefined();
});

it.each([
  ['another marker', () => message('', 'of another server')],
  ['no run directory', () => message('', 'secret', join(root, 'missing'))],
  [
    'no marker',
    () => {
      rmSync(join(root, 'marker'));
      return message();
    },
  ],
])('gives the run back where there is %s', async (_what, make) => {
  const failure = await requireSharedDirectory(make()).catch((error: unknown) => error);

  expect(failure).toBeInstanceOf(RunFailure);
  expect(failure).toMatchObject({ failureCause: 'worker-unfit' });
  expect(String(failure)).toContain("does not see the server's files");
});

it('mounts inputs from where they are, also over links that stay inside', async () => {
  expect((await placed('')).mounts).toMatchObject([{ source: join(root, 'data') }]);
  expect((await placed('inside')).mounts).toMatchObject([{ source: join(root, 'data', 'file') }]);
});

it.each(['outside', 'outside/passwd', 'missing', '../run'])('refuses the input %s', async (path) => {
  await expect(placed(path)).rejects.toThrow(/^Failed to download dependency in/);
});

it('removes what is excluded, and lets the server read the rest', async () => {
  const run = join(root, 'run');
  mkdirSync(join(run, 'deep'));
  for (const name of ['keep', 'drop.log', 'deep/drop.log']) writeFileSync(join(run, name), 'x');
  chmodSync(join(run, 'keep'), 0);
  symlinkSync('/etc', join(run, 'link'));
  await tidySharedDirectory(run, excludeMatcher(['*.log']));

  expect(readdirSync(run).toSorted()).toEqual(['deep', 'keep', 'link']);
  expect(readdirSync(join(run, 'deep'))).toEqual([]);
  expect(statSync(join(run, 'keep')).mode & 0o400).toBe(0o400);
});
