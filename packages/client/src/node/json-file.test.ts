import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileTokenStore } from './file-token-store.ts';
import { InvalidJsonFileError, readJsonFile, updateJsonFile } from './json-file.ts';

let home: string;
let path: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sheaf-json-'));
  path = join(home, 'deep', 'state.json');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('is written sorted, for its owner only, in a directory that is made for it', async () => {
  expect(readJsonFile(path)).toBeUndefined();
  await updateJsonFile(path, () => ({ b: { d: 1, c: [2] }, a: null }));
  expect(readFileSync(path, 'utf8')).toBe(
    '{\n    "a": null,\n    "b": {\n        "c": [\n            2\n        ],\n        "d": 1\n    }\n}\n',
  );
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a change that fails, or answers nothing, leaves it as it was, and free for the next', async () => {
  await updateJsonFile(path, () => ({ a: 1 }));
  await expect(
    updateJsonFile(path, () => {
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  await updateJsonFile(path, () => undefined);
  await updateJsonFile(path, (current) => ({ ...(current as object), b: 2 }));
  expect(readJsonFile(path)).toEqual({ a: 1, b: 2 });
});

test('what is no JSON is named and not overwritten', async () => {
  await updateJsonFile(path, () => ({}));
  writeFileSync(path, '{broken');
  expect(() => readJsonFile(path)).toThrow(InvalidJsonFileError);
  await expect(updateJsonFile(path, () => ({}))).rejects.toThrow(path);
  expect(readFileSync(path, 'utf8')).toBe('{broken');
});

test('the lock of a process that died does not hold for ever', async () => {
  await updateJsonFile(path, () => ({ a: 1 }));
  writeFileSync(`${path}.lock`, '');
  utimesSync(`${path}.lock`, new Date(0), new Date(0));
  await updateJsonFile(path, () => ({ a: 2 }));
  expect(readJsonFile(path)).toEqual({ a: 2 });
});

test('many writers at once lose nothing', async () => {
  const [writers, rounds] = [4, 15];
  const bundled = await build({
    stdin: {
      contents: `
        import { updateJsonFile } from ${JSON.stringify(join(import.meta.dirname, 'json-file.ts'))};
        import { workerData } from 'node:worker_threads';
        for (let round = 0; round < workerData.rounds; round += 1)
          await updateJsonFile(workerData.path, (now) => ({ ...now, [workerData.name + round]: true }));`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
  });
  const program = join(home, 'writer.mjs');
  writeFileSync(program, bundled.outputFiles[0]?.text ?? '');
  await Promise.all(
    Array.from({ length: writers }, (_, index) => {
      const worker = new Worker(program, { workerData: { path, rounds, name: `${index}-` } });
      return new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    }),
  );
  expect(Object.keys(readJsonFile(path) as object)).toHaveLength(writers * rounds);
});

test('tokens live beside whatever else the file holds, and damaged ones count as none', async () => {
  const signedIn = { username: 'alice', token_info: { access_token: 't', expires_at: 1 } };
  await updateJsonFile(path, () => ({
    sessions: { 1: { address: 'x' } },
    auth: { 'http://bad': { token_info: 3 } },
  }));
  const store = fileTokenStore(path);
  expect(await store.read('http://bad')).toBeUndefined();
  await store.write('http://h', signedIn);
  expect(await store.read('http://h')).toEqual(signedIn);
  expect(readJsonFile(path)).toMatchObject({
    sessions: { 1: { address: 'x' } },
    auth: { 'http://h': signedIn },
  });
  await store.remove('http://h');
  expect(await store.read('http://h')).toBeUndefined();
});
