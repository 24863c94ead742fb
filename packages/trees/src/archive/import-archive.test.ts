import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { InvalidArchiveError, LimitExceededError } from '../errors.ts';
import {
  bzip2Of,
  inPieces,
  members,
  retyped,
  tarGzOf,
  tarOf,
  withHeader,
  zipOf,
  type Member,
} from '../fixtures/archives.ts';
import { pathsOf, readContents, type Contents } from '../fixtures/contents.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { DirectoryStore } from '../stores/directory/directory-store.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { importArchive, importFile, type ImportOptions } from './import-archive.ts';
import type { ArchiveKind } from './kinds.ts';

async function unpack(kind: ArchiveKind, bytes: Buffer, options: ImportOptions = {}): Promise<Contents> {
  const store = new MemoryStore();
  return await readContents(store, await importArchive(store, inPieces(bytes), kind, options));
}

async function unpackTar(tar: Buffer): Promise<Contents> {
  return await unpack('tar.gz', gzipSync(tar));
}

function child(contents: Contents, name: string): Contents | undefined {
  return contents.kind === 'tree' ? contents.children[name] : undefined;
}

describe('members of a tar', () => {
  it.each([
    ['3', 'device'],
    ['4', 'device'],
    ['6', 'pipe'],
    ['M', 'unknown kind'],
    ['Z', 'unknown kind'],
  ])('of the type %s are refused', async (type, reason) => {
    const tar = retyped(await tarOf([{ name: 'odd', body: '' }]), type);
    await expect(unpackTar(tar)).rejects.toMatchObject({
      entry: 'odd',
      message: expect.stringContaining(reason),
    });
  });

  it('lose all of their mode but whether the owner may execute them', async () => {
    const contents = await unpackTar(
      await tarOf([
        { name: 'setuid', body: '', mode: 0o6755 },
        { name: 'group', body: '', mode: 0o674 },
      ]),
    );
    expect(child(contents, 'setuid')).toMatchObject({ executable: true });
    expect(child(contents, 'group')).toMatchObject({ executable: false });
  });

  it.each<[string, Member[], string]>([
    ['a file over a directory', members('d/', 'd'), 'd'],
    ['a directory over a file', members('f', 'f/'), 'f/'],
    ['a path through a file', members('f', 'f/x'), 'f/x'],
    ['a directory over a link', [{ name: 'l', type: 'symlink', linkname: 'x' }, ...members('l/')], 'l/'],
    [
      'a path through a link that stays inside',
      [...members('d/'), { name: 'l', type: 'symlink', linkname: 'd' }, ...members('l/x')],
      'l/x',
    ],
    ['a hard link to what comes later', [{ name: 'h', type: 'link', linkname: 'a' }, ...members('a')], 'h'],
    ['a hard link to a directory', [...members('d/'), { name: 'h', type: 'link', linkname: 'd' }], 'h'],
    ['a hard link out', [{ name: 'h', type: 'link', linkname: '../x' }], '../x'],
    [
      'a hard link through a link',
      [
        { name: 'l', type: 'symlink', linkname: '/etc' },
        { name: 'h', type: 'link', linkname: 'l/passwd' },
      ],
      'h',
    ],
    [
      'a file as the top',
      [
        { name: './', body: 'x' },
        { name: '.', type: 'symlink', linkname: 'x' },
      ],
      '.',
    ],
    ['a name that is too long', members('x'.repeat(256)), 'x'.repeat(256)],
    ['a path that is too long', members('x/'.repeat(2500)), `${'x/'.repeat(40)}…`],
  ])('%s is refused', async (_title, list, entry) => {
    await expect(unpackTar(await tarOf(list))).rejects.toMatchObject({
      constructor: InvalidArchiveError,
      entry,
    });
  });

  it('of later links and files replace earlier ones', async () => {
    const contents = await unpackTar(
      await tarOf([
        { name: 'a', type: 'symlink', linkname: '/etc/passwd' },
        { name: 'a', body: 'file' },
        { name: 'b', body: 'file' },
        { name: 'b', type: 'symlink', linkname: 'a' },
      ]),
    );
    expect(child(contents, 'a')).toMatchObject({ kind: 'file' });
    expect(child(contents, 'b')).toEqual({ kind: 'link', target: 'a' });
  });

  it('may go through .. as long as they stay inside', async () => {
    expect(pathsOf(await unpackTar(await tarOf(members('d/../e/./f', 'g//h'))))).toEqual([
      'e/',
      'e/f',
      'g/',
      'g/h',
    ]);
  });

  it('may be hard links to links', async () => {
    const contents = await unpackTar(
      await tarOf([
        { name: 'l', type: 'symlink', linkname: 'x' },
        { name: 'h', type: 'link', linkname: './l' },
      ]),
    );
    expect(child(contents, 'h')).toEqual({ kind: 'link', target: 'x' });
  });

  it('whose names are not UTF-8 are refused, and shown', async () => {
    const tar = withHeader(await tarOf(members('name')), (header) => {
      header[1] = 0xff;
    });
    await expect(unpackTar(tar)).rejects.toMatchObject({ entry: 'n\\xffme' });
    const link = withHeader(await tarOf([{ name: 'l', type: 'symlink', linkname: 'target' }]), (header) => {
      header[158] = 0xff;
    });
    await expect(unpackTar(link)).rejects.toMatchObject({ entry: 'l' });
  });
});

describe('a damaged tar', () => {
  it('is refused where its end is missing in the middle of a member, and told with its name', async () => {
    const tar = await tarOf([
      { name: 'a', body: 'x' },
      { name: 'big', body: Buffer.alloc(5000, 'x') },
    ]);
    for (const length of [700, 1024 + 100, 1024 + 512 + 100, 1024 + 512 + 5000]) {
      await expect(unpackTar(tar.subarray(0, length))).rejects.toThrow('cut short');
    }
    await expect(unpackTar(tar.subarray(0, 3000))).rejects.toMatchObject({ entry: 'big' });
  });

  it('is accepted without an end mark, as GNU tar does', async () => {
    const tar = await tarOf(members('a'));
    expect(pathsOf(await unpackTar(tar.subarray(0, 1024)))).toEqual(['a']);
  });

  it('is refused where a header is none, or there is nothing at all', async () => {
    const tar = Buffer.from(await tarOf(members('a', 'b')));
    tar[1024 + 3] = 0x78;
    await expect(unpackTar(tar)).rejects.toThrow(InvalidArchiveError);
    await expect(unpackTar(Buffer.alloc(0))).rejects.toThrow(InvalidArchiveError);
    await expect(unpackTar(Buffer.alloc(100, 'x'))).rejects.toThrow(InvalidArchiveError);
    await expect(unpackTar(Buffer.alloc(600, 'x'))).rejects.toThrow(InvalidArchiveError);
  });

  it('may be followed by anything after its end mark', async () => {
    const tar = await tarOf(members('a'));
    const followed = Buffer.concat([tar, Buffer.alloc(100_000, 'garbage')]);
    expect(pathsOf(await unpackTar(followed))).toEqual(['a']);
  });
});

describe('tars of GNU tar', () => {
  it.each(['gnu', 'posix', 'ustar', 'v7'])('in the format %s are read', async (format) => {
    const directory = await temporaryDirectory();
    const long = 'l'.repeat(99);
    execFileSync(
      'bash',
      [
        '-ec',
        `mkdir -p d/${'m'.repeat(40)}; echo a > a; chmod 755 a; ln a h; ln -s a s; echo z > d/${'m'.repeat(40)}/z; echo l > ${long}`,
      ],
      { cwd: directory },
    );
    const tar = execFileSync('tar', ['-cf', '-', `--format=${format}`, 'a', 'h', 's', 'd', long], {
      cwd: directory,
    });
    const contents = await unpackTar(tar);
    expect(pathsOf(contents)).toEqual([
      'a',
      'd/',
      `d/${'m'.repeat(40)}/`,
      `d/${'m'.repeat(40)}/z`,
      'h',
      long,
      's',
    ]);
    expect(child(contents, 'a')).toMatchObject({ executable: true, bytes: Buffer.from('a\n') });
  });

  it.each(['gnu', 'posix'])('with long and foreign names in the format %s are read', async (format) => {
    const directory = await temporaryDirectory();
    const name = `${'é'.repeat(100)}`;
    const target = 't'.repeat(300);
    execFileSync(
      'bash',
      ['-ec', `mkdir -p ${name}/${name}; echo x > ${name}/${name}/😀; ln -s ${target} l`],
      { cwd: directory },
    );
    const contents = await unpackTar(
      execFileSync('tar', ['-cf', '-', `--format=${format}`, '.'], { cwd: directory }),
    );
    expect(pathsOf(contents)).toEqual(['l', `${name}/`, `${name}/${name}/`, `${name}/${name}/😀`]);
    expect(child(contents, 'l')).toEqual({ kind: 'link', target });
  });

  it.each([
    '--format=gnu',
    '--format=posix --sparse-version=0.0',
    '--format=posix --sparse-version=0.1',
    '--format=posix --sparse-version=1.0',
  ])('with sparse files, %s, are read', async (options) => {
    const directory = await temporaryDirectory();
    const script = `
        truncate -s 3000000 hole; truncate -s 5000000 many; truncate -s 1000000 end
        for i in $(seq 0 30); do printf data$i | dd of=many bs=1 seek=$((i * 150000)) conv=notrunc status=none; done
        printf x | dd of=end bs=1 seek=999999 conv=notrunc status=none
        echo plain > plain`;
    execFileSync('bash', ['-ec', script], { cwd: directory });
    const plain = execFileSync('tar', ['-cf', '-', '.'], { cwd: directory, maxBuffer: 1 << 28 });
    const sparse = execFileSync('tar', ['-cSf', '-', ...options.split(' '), '.'], {
      cwd: directory,
      maxBuffer: 1 << 28,
    });
    expect(sparse.length).toBeLessThan(plain.length / 2);

    const root = await importArchive(new MemoryStore(), inPieces(gzipSync(sparse)), 'tar.gz');

    expect(root).toEqual(await importArchive(new MemoryStore(), inPieces(gzipSync(plain)), 'tar.gz'));
  });
});

describe('limits', () => {
  it('stop an archive of too many entries, too many bytes or too high a ratio', async () => {
    const archive = await tarGzOf(...members('a', 'b', 'c/'), { name: 'big', body: Buffer.alloc(50_000) });
    await expect(unpack('tar.gz', archive, { limits: { entries: 3 } })).rejects.toMatchObject({
      limit: 'entries',
    });
    await expect(unpack('tar.gz', archive, { limits: { bytes: 50_001 } })).rejects.toMatchObject({
      limit: 'bytes',
    });
    await unpack('tar.gz', archive, { limits: { entries: 4, bytes: 50_002 } });
    const zip = zipOf({ name: 'a', body: 'a' }, { name: 'big', body: Buffer.alloc(50_000) });
    await expect(unpack('zip', zip, { limits: { entries: 1 } })).rejects.toMatchObject({ limit: 'entries' });
    await expect(unpack('zip', zip, { limits: { bytes: 50_000 } })).rejects.toMatchObject({ limit: 'bytes' });
    await expect(unpack('gz', gzipSync(Buffer.alloc(50_000)), { limits: { bytes: 49_999 } })).rejects.toThrow(
      LimitExceededError,
    );
  });

  it('stop a bomb while it unpacks', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    await expect(unpack('gz', bomb, { limits: { ratio: 100 } })).rejects.toMatchObject({ limit: 'ratio' });
    await expect(unpack('bz2', bzip2Of(Buffer.alloc(200_000_000)))).rejects.toMatchObject({ limit: 'ratio' });
    await expect(unpack('tar.gz', bomb, { limits: { ratio: 100 } })).rejects.toThrow();
  });

  it('let honest zeros through', async () => {
    const zeros = inPieces(gzipSync(Buffer.alloc(100_000_000)));
    expect(await importArchive(new MemoryStore(), zeros, 'gz')).toMatchObject({ size: 100_000_000 });
  });
});

describe('a source that fails', () => {
  it.each<[ArchiveKind, (tar: Buffer) => Buffer]>([
    ['tar.gz', (tar) => gzipSync(tar)],
    ['tar.bz2', (tar) => bzip2Of(tar)],
    ['zip', () => zipOf({ name: 'a', body: 'x'.repeat(50_000), method: 0 })],
    ['gz', (tar) => gzipSync(tar)],
  ])('in a %s gives its own error, and nothing is left', async (kind, packed) => {
    const store = await DirectoryStore.open(join(await temporaryDirectory(), 'store'));
    onTestFinished(() => store.close());
    const { randomBytes } = await import('node:crypto');
    const archive = packed(await tarOf([{ name: 'big', body: randomBytes(3_000_000) }, ...members('a')]));
    const source = async function* (): AsyncGenerator<Buffer> {
      yield archive.subarray(0, archive.length - 50);
      throw new Error('the connection was lost');
    };

    await expect(importArchive(store, source(), kind)).rejects.toThrow('the connection was lost');

    expect(readdirSync(join(store.root, 'temp'))).toEqual([]);
  });

  it('or stalls is let go of when the import is aborted', async () => {
    const store = await DirectoryStore.open(join(await temporaryDirectory(), 'store'));
    onTestFinished(() => store.close());
    for (const kind of ['tar.gz', 'tar.bz2', 'zip', 'gz'] as const) {
      const stop = new AbortController();
      const source = new PassThrough();
      source.write((await tarGzOf(...members('a'))).subarray(0, 30));
      const importing = importArchive(store, source, kind, { signal: stop.signal });
      stop.abort(new Error('never mind'));
      await expect(importing).rejects.toThrow('never mind');
      expect(source.destroyed).toBe(true);
    }
    const stop = new AbortController();
    const file = importFile(store, new PassThrough(), { signal: stop.signal });
    stop.abort(new Error('never mind'));
    await expect(file).rejects.toThrow('never mind');
    expect(readdirSync(join(store.root, 'temp'))).toEqual([]);
  });
});

describe('progress', () => {
  it('tells what has arrived', async () => {
    const archive = await tarGzOf(...members('a', 'b'), { name: 'c', body: Buffer.alloc(100_000, 'abc') });
    const told: number[] = [];
    await unpack('tar.gz', archive, { onProgress: ({ arrived }) => told.push(arrived) });
    expect(told.at(-1)).toBe(archive.length);
  });
});

describe('a zip', () => {
  it('of another program is read', async () => {
    const directory = await temporaryDirectory();
    execFileSync(
      'bash',
      [
        '-ec',
        'mkdir -p d/e; echo a > a; chmod 755 a; ln -s a l; head -c 600000 /dev/zero > d/big; echo é > d/é',
      ],
      { cwd: directory },
    );
    execFileSync('zip', ['-qry', 'x.zip', 'a', 'l', 'd'], { cwd: directory });
    const contents = await unpack('zip', execFileSync('cat', ['x.zip'], { cwd: directory }));
    expect(pathsOf(contents)).toEqual(['a', 'd/', 'd/big', 'd/e/', 'd/é', 'l']);
    expect(child(contents, 'a')).toMatchObject({ executable: true });
    expect(child(contents, 'l')).toEqual({ kind: 'link', target: 'a' });
  });

  it('that came through a pipe, with sizes behind the data, is read', async () => {
    const directory = await temporaryDirectory();
    writeFileSync(join(directory, 'a'), 'alpha '.repeat(100_000));
    const zip = execFileSync('bash', ['-c', 'cat a | zip -q - -'], { cwd: directory });
    const found = child(await unpack('zip', zip), '-');
    expect(found?.kind === 'file' && found.bytes.equals(Buffer.from('alpha '.repeat(100_000)))).toBe(true);
  });

  it.each<[string, Parameters<typeof zipOf>, string]>([
    ['that is encrypted', [{ name: 'a', flags: 1 }], 'a'],
    ['with a name twice', [{ name: 'a' }, { name: './a' }], './a'],
    ['with an unknown method', [{ name: 'a', method: 99 }], 'a'],
    ['with a wrong checksum', [{ name: 'a', body: 'x', checksum: 5 }], 'a'],
    [
      'with a wrong checksum of a large member',
      [{ name: 'a', body: Buffer.alloc(400_000), checksum: 5 }],
      'a',
    ],
    ['with more bytes than it says', [{ name: 'a', body: 'alpha', size: 4 }], 'a'],
    ['with many more bytes than it says', [{ name: 'a', body: Buffer.alloc(10_000_000), size: 4 }], 'a'],
    [
      'with a large member that has more bytes than it says',
      [{ name: 'a', body: Buffer.alloc(10_000_000), size: 300_000 }],
      'a',
    ],
    ['with fewer bytes than it says', [{ name: 'a', body: 'alpha', size: 6 }], 'a'],
    ['with a device', [{ name: 'a', mode: 0o060644 }], 'a'],
    ['with a path through a link', [{ name: 'l', body: '/etc', mode: 0o120777 }, { name: 'l/x' }], 'l/x'],
    ['with a link of too long a target', [{ name: 'l', body: 'x'.repeat(5000), mode: 0o120777 }], 'l'],
    ['with an absolute path in backslashes', [{ name: '\\etc\\passwd', host: 0 }], '/etc/passwd'],
  ])('%s is refused', async (_title, list, entry) => {
    await expect(unpack('zip', zipOf(...list))).rejects.toMatchObject({
      constructor: InvalidArchiveError,
      entry,
    });
  });

  it('keeps backslashes of a Unix, and takes those of Windows for slashes', async () => {
    expect(pathsOf(await unpack('zip', zipOf({ name: 'a\\b', host: 3 })))).toEqual(['a\\b']);
    expect(pathsOf(await unpack('zip', zipOf({ name: 'a\\b', host: 0 })))).toEqual(['a/', 'a/b']);
  });

  it('reads names without the UTF-8 flag as what they most likely are', async () => {
    expect(pathsOf(await unpack('zip', zipOf({ name: 'é' })))).toEqual(['é']);
    expect(pathsOf(await unpack('zip', zipOf({ name: Buffer.from([0x82]) })))).toEqual(['é']);
  });
});
