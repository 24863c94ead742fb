import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { importArchive } from '../archive/import-archive.ts';
import { ContentsError, FileChangedError, InvalidNameError } from '../errors.ts';
import {
  anyDirectory,
  directory,
  file,
  link,
  pathsOf,
  readContents,
  storeDirectory,
  writeContents,
} from '../fixtures/contents.ts';
import { inPieces } from '../fixtures/archives.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { collected, someBytes } from '../fixtures/bytes.ts';
import { DirectoryStore } from '../stores/directory/directory-store.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { digestOf } from '../tree/digest.ts';
import { excludePatterns } from './exclude.ts';
import { hashDirectory } from './hash-directory.ts';
import { hashFile } from './hash-file.ts';
import { HashedOnDisk } from './hashed-tree.ts';
import { importDirectory } from './import-directory.ts';
import type { ScanOptions } from './scan.ts';

async function pathsIn(path: string, options: ScanOptions = {}): Promise<string[]> {
  const store = new MemoryStore();
  return pathsOf(await readContents(store, await importDirectory(store, path, options)));
}

const sample = directory({
  a: file('alpha'),
  'run.sh': file('#!/bin/sh\n', true),
  big: file(someBytes(3_000_000)),
  l: link('nowhere'),
  d: directory({ b: file('beta'), e: directory() }),
});

async function written(contents = sample): Promise<string> {
  const path = join(await temporaryDirectory(), 'source');
  writeContents(contents, path);
  return path;
}

describe('a directory on disk', () => {
  it('has the digest of its import, of the import of its tar, and of what it was made from', async () => {
    await fc.assert(
      fc.asyncProperty(anyDirectory, async (contents) => {
        const path = await written(contents);
        const store = new MemoryStore();
        const made = await storeDirectory(store, contents);
        const tar = execFileSync('tar', ['-czf', '-', '-C', path, '.']);

        expect((await hashDirectory(path)).root).toEqual(made);
        expect(await importDirectory(new MemoryStore(), path)).toEqual(made);
        expect(await importArchive(new MemoryStore(), inPieces(tar), 'tar.gz')).toEqual(made);
      }),
      { numRuns: 25 },
    );
  });

  it('is stored whole', async () => {
    const store = new MemoryStore();
    const root = await importDirectory(store, await written());
    expect(root).toEqual(await storeDirectory(new MemoryStore(), sample));
    expect(pathsOf(await readContents(store, root))).toEqual([
      'a',
      'big',
      'd/',
      'd/b',
      'd/e/',
      'l',
      'run.sh',
    ]);
  });

  it('may be taken over by linking', async () => {
    const path = await written();
    const store = await DirectoryStore.open(join(path, '..', 'store'));
    onTestFinished(() => store.close());

    const root = await importDirectory(store, path, { takeOver: true });

    expect(root).toEqual(await storeDirectory(new MemoryStore(), sample));
    const big = digestOf(someBytes(3_000_000));
    expect(statSync(store.localPath(big)).ino).toBe(statSync(join(path, 'big')).ino);
  });

  it('leaves out what matches, what is skipped and what an ignore file names', async () => {
    const path = await written();
    writeFileSync(join(path, 'd', '.ignore'), 'b\n\n*.log\n');
    writeFileSync(join(path, 'd', 'e', 'x.log'), '');
    writeFileSync(join(path, 'd', 'x.log'), '');
    expect(await pathsIn(path, { exclude: excludePatterns(['b*']) })).not.toContain('big');
    expect(await pathsIn(path, { exclude: excludePatterns(['d']) })).toEqual(['a', 'big', 'l', 'run.sh']);
    expect(await pathsIn(path, { skip: new Set(['d/b', 'big', 'b']) })).toEqual([
      'a',
      'd/',
      'd/.ignore',
      'd/e/',
      'd/e/x.log',
      'd/x.log',
      'l',
      'run.sh',
    ]);
    const ignored = await pathsIn(path, { excludeIgnore: '.ignore' });
    expect(ignored.filter((name) => name.startsWith('d/'))).toEqual(['d/', 'd/.ignore', 'd/e/', 'd/e/x.log']);
  });

  it('follows links where it is told to, and notices those that lead back', async () => {
    const path = await written(directory({ d: directory({ f: file('x') }), l: link('d'), lf: link('d/f') }));
    expect(await pathsIn(path, { followLinks: true })).toEqual(['d/', 'd/f', 'l/', 'l/f', 'lf']);
    symlinkSync('..', join(path, 'd', 'up'));
    await expect(pathsIn(path, { followLinks: true })).rejects.toThrow(ContentsError);
    await expect(pathsIn(path, { followLinks: true })).rejects.toThrow('leads back');
  });

  it('leaves out pipes and sockets, and says so', async () => {
    const path = await written();
    execFileSync('mkfifo', [join(path, 'pipe')]);
    const told: string[] = [];
    const paths = await pathsIn(path, { onLeftOut: (name) => told.push(name) });
    expect(told).toEqual(['pipe']);
    expect(paths).not.toContain('pipe');
  });

  it('is refused where a name or a target is not UTF-8', async () => {
    const path = await written();
    writeFileSync(Buffer.concat([Buffer.from(`${path}/bad`), Buffer.from([0xff])]), '');
    await expect(hashDirectory(path)).rejects.toThrow(InvalidNameError);
    await expect(hashDirectory(path)).rejects.toThrow('bad\\xff');
    const refused: string[] = [];
    const { root } = await hashDirectory(path, {
      onRefused: (entry, reason) => refused.push(`${entry}: ${reason}`),
    });
    expect(refused).toEqual(['bad\\xff: its name is not valid UTF-8']);
    expect(root).toMatchObject({ kind: 'tree' });
    await hashDirectory(path, { exclude: (entry) => entry.startsWith('bad') });
    const other = await written();
    symlinkSync(Buffer.from([0x61, 0xff]), join(other, 'odd'));
    await expect(hashDirectory(other)).rejects.toThrow('odd');
    const replacement = await written();
    writeFileSync(join(replacement, 'real\ufffdone'), '');
    expect(await pathsIn(replacement)).toContain('real\ufffdone');
  });

  it('is refused where a file changes while it is read', async () => {
    const path = await written();
    const grow = (): void => appendFileSync(join(path, 'big'), 'more');
    await expect(hashFile(join(path, 'big'), { onBytes: grow })).rejects.toThrow(FileChangedError);
    // Files of this filesystem say that they are empty, and are not.
    await expect(hashDirectory('/proc/self/fdinfo')).rejects.toThrow(FileChangedError);
    const store = new MemoryStore();
    const writer = store.writer.bind(store);
    store.writer = async () => {
      grow();
      return await writer();
    };
    await expect(importDirectory(store, path)).rejects.toThrow(FileChangedError);
  });

  it('tells its progress, and stops when it is told to', async () => {
    const path = await written();
    const told: number[] = [];
    await hashDirectory(path, { onProgress: ({ files }) => told.push(files) });
    expect(told.at(-1)).toBe(5);
    const stop = new AbortController();
    stop.abort();
    await expect(hashDirectory(path, { signal: stop.signal })).rejects.toThrow('aborted');
  });

  it('is an error where there is none', async () => {
    const path = await written();
    await expect(hashDirectory(join(path, 'nothing'))).rejects.toThrow('ENOENT');
    await expect(hashDirectory(join(path, 'a'))).rejects.toThrow('ENOTDIR');
  });
});

describe('the blobs of a hashed directory', () => {
  it('are its files and trees, each read from any offset', async () => {
    const path = await written();
    const hashed = await hashDirectory(path);
    expect(hashed.blobs.size).toBe(4 + 3);
    for (const [digest, blob] of hashed.blobs) {
      const bytes = await collected(blob.open());
      expect(digestOf(bytes)).toBe(digest);
      expect(bytes.length).toBe(blob.size);
      expect((await blob.readAll()).equals(bytes)).toBe(true);
      expect((await collected(blob.open(3))).equals(bytes.subarray(3))).toBe(true);
    }
    expect(readdirSync(path).length).toBe(5);
  });

  it('fail where the file is no longer what was hashed', async () => {
    const path = await written();
    const hashed = await hashDirectory(path);
    const files = [...hashed.blobs.values()].filter((blob) => blob instanceof HashedOnDisk);
    for (const blob of files) appendFileSync(blob.path, 'x');
    expect(files.length).toBe(4);
    for (const blob of files) {
      await expect(collected(blob.open())).rejects.toThrow(FileChangedError);
      await expect(blob.readAll()).rejects.toThrow(FileChangedError);
    }
  });
});

describe('hashFile', () => {
  it('answers an entry', async () => {
    const path = await written();
    const bytes = someBytes(3_000_000);
    const entry = await hashFile(join(path, 'big'));
    expect(entry).toEqual({ kind: 'file', digest: digestOf(bytes), size: bytes.length, executable: false });
    expect((await hashFile(join(path, 'run.sh'))).executable).toBe(true);
  });
});
