import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { directory, file, storeContents } from '../fixtures/contents.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { DirectoryStore } from '../stores/directory/directory-store.ts';
import { digestOf } from '../tree/digest.ts';
import { removeDamaged } from './remove-damaged.ts';

const contents = directory({
  whole: file('whole'),
  damaged: file('damaged'),
  deep: directory({ open: file('open'), 'run.sh': file('#!/bin/sh\n', true) }),
});
const digest = (text: string) => digestOf(Buffer.from(text));

async function opened(): Promise<DirectoryStore> {
  const store = await DirectoryStore.open(join(await temporaryDirectory(), 'store'));
  onTestFinished(() => store.close());
  return store;
}

function overwrite(path: string, text: string, mode: number): void {
  chmodSync(path, 0o644);
  writeFileSync(path, text);
  chmodSync(path, mode);
}

it('removes what has other bytes or other rights than it should, and only that', async () => {
  const store = await opened();
  const root = await storeContents(store, contents);
  overwrite(store.localPath(digest('damaged')), 'DAMAGED', 0o444);
  chmodSync(store.localPath(digest('open')), 0o666);
  overwrite(await store.executablePath(digest('#!/bin/sh\n')), '#!/bin/ss\n', 0o555);

  const removed = await removeDamaged(store, root);

  expect(removed.sort()).toEqual([digest('damaged'), digest('open'), digest('#!/bin/sh\n')].sort());
  expect(await store.has(digest('damaged'))).toBe(false);
  expect(await store.has(digest('whole'))).toBe(true);
});

it('removes a listing with wrong bytes, and passes over what is missing', async () => {
  const store = await opened();
  const root = await storeContents(store, contents);
  if (root.kind !== 'tree') throw new Error('a directory is a tree');
  await store.delete(digest('whole'));
  expect(await removeDamaged(store, root)).toEqual([]);

  const path = store.localPath(root.digest);
  overwrite(path, 'x'.repeat(statSync(path).size), 0o444);

  expect(await removeDamaged(store, root)).toEqual([root.digest]);
});
