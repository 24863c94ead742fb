import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashDirectory } from '../disk/hash-directory.ts';
import { BlobMissingError, IncompleteContentsError } from '../errors.ts';
import { inPieces } from '../fixtures/archives.ts';
import { anyDirectory, directory, file, link, storeDirectory } from '../fixtures/contents.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { collected, someBytes } from '../fixtures/bytes.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { encodeTree } from '../tree/encode.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { leftOutOfDownloads } from './exclude-download.ts';
import { exportTar, exportTarGz, type ExportOptions } from './export-tar.ts';
import { importArchive } from './import-archive.ts';
import type { ArchiveKind } from './kinds.ts';
import { exportZip } from './zip/export-zip.ts';

type Export = (store: BlobStore, root: TreeEntry, options?: ExportOptions) => Readable;

const ways: readonly [string, Export, (bytes: Buffer) => Buffer, ArchiveKind][] = [
  ['tar', exportTar, (bytes) => gzipSync(bytes), 'tar.gz'],
  ['tar.gz', exportTarGz, (bytes) => bytes, 'tar.gz'],
  ['zip', exportZip, (bytes) => bytes, 'zip'],
];

const sample = directory({
  'run.sh': file('#!/bin/sh\n', true),
  big: file(someBytes(700_000)),
  empty: directory(),
  l: link('../out'),
  d: directory({ 'é 😀': file('x'), '.git': directory({ config: file('c') }), '._a': file('m') }),
  __MACOSX: directory({ a: file('a') }),
  '.DS_Store': file('s'),
  [`${'n'.repeat(120)}`]: file('long'),
  [`${'é'.repeat(99)}`]: link('é'.repeat(101)),
  'back\\slash': file('b'),
});

describe.each(ways)('exporting a %s', (_name, exported, packed, kind) => {
  it('is undone by importing it', async () => {
    await fc.assert(
      fc.asyncProperty(anyDirectory, async (contents) => {
        const store = new MemoryStore();
        const root = await storeDirectory(store, contents);
        const archive = packed(await collected(exported(store, root)));

        expect(await importArchive(new MemoryStore(), inPieces(archive), kind)).toEqual(root);
      }),
      { numRuns: 40 },
    );
  });

  it('gives equal bytes for equal contents', async () => {
    const store = new MemoryStore();
    const root = await storeDirectory(store, sample);
    const [once, again] = [await collected(exported(store, root)), await collected(exported(store, root))];
    expect(once.equals(again)).toBe(true);
  });

  it('leaves out what it is told to, with all below it', async () => {
    const store = new MemoryStore();
    const root = await storeDirectory(store, sample);
    const { __MACOSX: _left, d: _d, ...rest } = sample.children;
    const expected = directory({ ...rest, d: directory({ 'é 😀': file('x') }) });

    const archive = packed(await collected(exported(store, root, { skip: leftOutOfDownloads })));

    expect(await importArchive(store, inPieces(archive), kind)).toEqual(
      await storeDirectory(store, expected),
    );
  });

  it('fails, and never just ends, where a blob is missing', async () => {
    for (const lost of ['run.sh', 'big']) {
      const store = new MemoryStore();
      const root = await storeDirectory(store, sample);
      const contents = sample.children[lost];
      if (contents?.kind !== 'file') throw new Error('no file');
      await store.delete(await store.put(contents.bytes));
      const stream = exported(store, root);
      await expect(collected(stream)).rejects.toThrow(BlobMissingError);
      expect(stream.readableEnded).toBe(false);
    }
  });

  it('fails where a large file has another size than its entry says', async () => {
    const store = new MemoryStore();
    const digest = await store.put(someBytes(700_000));
    const entry = { kind: 'file', digest, size: 700_001, executable: false } as const;
    const tree = await store.put(encodeTree([{ name: 'a', entry }]));
    const root: TreeEntry = { kind: 'tree', digest: tree, size: 700_001, files: 1 };
    await expect(collected(exported(store, root))).rejects.toThrow(IncompleteContentsError);
  });

  it('reads no further than its reader', async () => {
    const store = new MemoryStore();
    const files = Array.from({ length: 40 }, (_, index) => [`f${index}`, file(randomBytes(400_000))]);
    const root = await storeDirectory(store, directory(Object.fromEntries(files)));
    let read = 0;
    const counting: BlobStore = Object.assign(Object.create(store) as BlobStore, {
      capabilities: store.capabilities,
      bytes: store.bytes.bind(store),
      bytesMany: store.bytesMany.bind(store),
      read: (digest: string) => {
        read += 1;
        return store.read(digest);
      },
    });
    const stream = exported(counting, root);
    for await (const _ of stream) break;
    expect(read).toBeLessThan(20);
    expect(stream.destroyed).toBe(true);
  });
});

describe('other programs', () => {
  it('unpack the tar.gz and the zip to what was packed', async () => {
    const path = await temporaryDirectory();
    const store = new MemoryStore();
    const root = await storeDirectory(store, sample);
    await writeFile(join(path, 'x.tar.gz'), await collected(exportTarGz(store, root)));
    await writeFile(join(path, 'x.zip'), await collected(exportZip(store, root)));
    mkdirSync(join(path, 'tar'));
    const warnings = execFileSync('bash', ['-c', 'tar xzf x.tar.gz -C tar 2>&1'], {
      cwd: path,
      encoding: 'utf8',
    });
    execFileSync('unzip', ['-q', 'x.zip', '-d', 'zip'], {
      cwd: path,
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });

    expect(warnings).toBe('');
    expect((await hashDirectory(join(path, 'tar'))).root).toEqual(root);
    expect((await hashDirectory(join(path, 'zip'))).root).toEqual(root);
    expect(execFileSync('tar', ['tzf', 'x.tar.gz'], { cwd: path, encoding: 'utf8' }).split('\n')).toContain(
      './d/',
    );
  });

  it('see one gzip member without name or time', async () => {
    const store = new MemoryStore();
    const packed = await collected(exportTarGz(store, await storeDirectory(store, directory())));
    expect([...packed.subarray(0, 8)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
  });

  it('find a zip file of more members than 16 bits can count sound', async () => {
    const path = await temporaryDirectory();
    const store = new MemoryStore();
    const children = Object.fromEntries(
      Array.from({ length: 66_000 }, (_, index) => [`f${index}`, file('')]),
    );
    const root = await storeDirectory(store, directory(children));
    await writeFile(join(path, 'x.zip'), await collected(exportZip(store, root)));
    const listing = execFileSync('unzip', ['-tqq', 'x.zip'], { cwd: path, encoding: 'utf8' });
    expect(listing).toBe('');
    expect(await importArchive(store, inPieces(readFileSync(join(path, 'x.zip')), 100_000), 'zip')).toEqual(
      root,
    );
  }, 120_000);
});
