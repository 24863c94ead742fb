/** The table of archives and the trees they become (bundles.md §22.7), line by line. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { InvalidArchiveError } from '../errors.ts';
import { bzip2Of, inPieces, members, tarGzOf, tarOf, zipOf, type Member } from '../fixtures/archives.ts';
import { pathsOf, readContents, type Contents } from '../fixtures/contents.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { DirectoryStore } from '../stores/directory/directory-store.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { exportTar } from './export-tar.ts';
import { leftOutOfDownloads } from './exclude-download.ts';
import { importArchive, importFile } from './import-archive.ts';
import { archiveKindOf } from './kinds.ts';
import { importTar } from './import-tar.ts';
import { LimitCounter } from './limits.ts';
import { Intake } from '../stores/intake.ts';
import { sealDraft } from '../tree/draft.ts';

/** What the server does with an upload of this name. */
async function upload(name: string, bytes: Buffer, unpack = true): Promise<Contents> {
  const store = await DirectoryStore.open(join(await temporaryDirectory(), 'store'));
  onTestFinished(() => store.close());
  const kind = unpack ? archiveKindOf(name) : undefined;
  try {
    const root =
      kind === undefined
        ? await importFile(store, inPieces(bytes))
        : await importArchive(store, inPieces(bytes), kind);
    return await readContents(store, root);
  } finally {
    expect(readdirSync(join(store.root, 'temp'))).toEqual([]);
    expect(readdirSync(join(store.root, 'partial'))).toEqual([]);
  }
}

async function paths(name: string, bytes: Buffer): Promise<string[]> {
  return pathsOf(await upload(name, bytes));
}

function at(contents: Contents, ...names: string[]): Contents | undefined {
  let here: Contents | undefined = contents;
  for (const name of names) here = here?.kind === 'tree' ? here.children[name] : undefined;
  return here;
}

function text(contents: Contents | undefined): string | undefined {
  return contents?.kind === 'file' ? contents.bytes.toString() : undefined;
}

async function tarGz(...list: Member[]): Promise<string[]> {
  return await paths('x.tar.gz', await tarGzOf(...list));
}

async function refused(name: string, bytes: Buffer, entry?: string): Promise<void> {
  const error: unknown = await upload(name, bytes).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(InvalidArchiveError);
  if (entry !== undefined) {
    expect(error).toMatchObject({ entry });
    expect(String(error)).toContain(entry);
  }
}

describe('x.tar.gz', () => {
  it('with ./, ./a.txt, ./d/, ./d/b', async () => {
    expect(await tarGz(...members('./', './a.txt', './d/', './d/b'))).toEqual(['a.txt', 'd/', 'd/b']);
  });

  it('x.tgz with top/, top/a is not simplified', async () => {
    expect(await paths('x.tgz', await tarGzOf(...members('top/', 'top/a')))).toEqual(['top/', 'top/a']);
  });

  it('with x/y/z only', async () => {
    expect(await tarGz(...members('x/y/z'))).toEqual(['x/', 'x/y/', 'x/y/z']);
  });

  it('with __MACOSX/, __MACOSX/._a, .DS_Store, a: all kept, a download omits __MACOSX', async () => {
    const archive = await tarGzOf(...members('__MACOSX/', '__MACOSX/._a', '.DS_Store', 'a'));
    expect(await paths('x.tar.gz', archive)).toEqual(['.DS_Store', '__MACOSX/', '__MACOSX/._a', 'a']);
    const store = new MemoryStore();
    const root = await importArchive(store, inPieces(archive), 'tar.gz');
    if (root.kind !== 'tree') throw new Error('not a tree');
    const download = exportTar(store, root, { skip: leftOutOfDownloads });
    const intake = new Intake(store);
    const draft = await importTar(download, intake, new LimitCounter());
    await intake.finish();
    const downloaded = await sealDraft(draft, (_digest, bytes) => intake.add(bytes));
    await intake.finish();
    expect(pathsOf(await readContents(store, downloaded))).toEqual(['.DS_Store', 'a']);
  });

  it('with the symlink l → /etc/passwd: kept', async () => {
    const contents = await upload(
      'x.tar.gz',
      await tarGzOf({ name: 'l', type: 'symlink', linkname: '/etc/passwd' }),
    );
    expect(at(contents, 'l')).toEqual({ kind: 'link', target: '/etc/passwd' });
  });

  it('with the symlink d → /tmp, then d/f: refused', async () => {
    const archive = await tarGzOf({ name: 'd', type: 'symlink', linkname: '/tmp' }, ...members('d/f'));
    await refused('x.tar.gz', archive, 'd/f');
  });

  it.each(['../evil', '/etc/evil', '../0x0123456789abcdef0123456789abcdefX', 'a/../../evil'])(
    'with %s: refused',
    async (name) => {
      await refused('x.tar.gz', await tarGzOf(...members('a', name)), name);
    },
  );

  it('with a hard link to /outside: refused', async () => {
    const archive = await tarGzOf({ name: 'h', type: 'link', linkname: '/outside' });
    await refused('x.tar.gz', archive, '/outside');
  });

  it('with a hard link h to member a: both files', async () => {
    const archive = await tarGzOf(...members('a'), { name: 'h', type: 'link', linkname: 'a' });
    const contents = await upload('x.tar.gz', archive);
    expect([text(at(contents, 'a')), text(at(contents, 'h'))]).toEqual(['a', 'a']);
  });

  it('with member a twice, contents 1 then 22: a = 22', async () => {
    const contents = await upload(
      'x.tar.gz',
      await tarGzOf({ name: 'a', body: '1' }, { name: './a', body: '22' }),
    );
    expect(text(at(contents, 'a'))).toBe('22');
  });

  it('with the directory d of mode 0555 holding f: succeeds', async () => {
    expect(await tarGz({ name: 'd/', type: 'directory', mode: 0o555 }, ...members('d/f'))).toEqual([
      'd/',
      'd/f',
    ]);
  });

  it('with no members: an empty directory', async () => {
    expect(await upload('x.tar.gz', await tarGzOf())).toEqual({ kind: 'tree', children: {} });
  });

  it('of 0 bytes, an uncompressed tar, or truncated: refused', async () => {
    const archive = await tarGzOf({ name: 'a', body: Buffer.alloc(100_000, 'abcdefg') }, ...members('b'));
    await refused('x.tar.gz', Buffer.alloc(0));
    await refused('x.tar.gz', await tarOf(members('a')));
    for (const length of [1, 5, 20, archive.length - 100, archive.length - 8, archive.length - 1]) {
      await refused('x.tar.gz', archive.subarray(0, length));
    }
  });

  it('with unpack=0: one file, byte for byte', async () => {
    const archive = await tarGzOf(...members('a'));
    expect(await upload('x.tar.gz', archive, false)).toEqual({
      kind: 'file',
      bytes: archive,
      executable: false,
    });
  });
});

describe('other archives', () => {
  it('x.tar.bz2 with a', async () => {
    expect(await paths('x.tar.bz2', bzip2Of(await tarOf(members('a'))))).toEqual(['a']);
  });

  it('x.gz of hello: the file hello', async () => {
    expect(text(await upload('x.gz', gzipSync('hello')))).toBe('hello');
  });

  it('x.gz of two members hello, world: helloworld', async () => {
    expect(text(await upload('x.gz', Buffer.concat([gzipSync('hello'), gzipSync('world')])))).toBe(
      'helloworld',
    );
  });

  it('x.gz that is not gzip: refused', async () => {
    await refused('x.gz', Buffer.from('hello'));
  });

  it('x.zip with top/a, .DS_Store', async () => {
    const archive = zipOf({ name: 'top/a', body: 'a' }, { name: '.DS_Store' });
    expect(await paths('x.zip', archive)).toEqual(['.DS_Store', 'top/', 'top/a']);
  });

  it.each(['../evil', '/abs/evil'])('x.zip with %s: refused', async (name) => {
    await refused('x.zip', zipOf({ name, body: 'x' }, { name: 'a' }), name);
  });

  it('x.zip with a unix symlink entry: restored', async () => {
    const contents = await upload('x.zip', zipOf({ name: 'l', body: '../target', mode: 0o120777 }));
    expect(at(contents, 'l')).toEqual({ kind: 'link', target: '../target' });
  });

  it('x.zip without entries, corrupt or truncated: refused', async () => {
    const archive = zipOf({ name: 'a', body: 'alpha '.repeat(1000) }, { name: 'b', body: 'beta' });
    await refused('x.zip', zipOf());
    await refused('x.zip', Buffer.alloc(0));
    await refused('x.zip', Buffer.from('not a zip'));
    const corrupt = Buffer.from(archive);
    corrupt[35] = (corrupt[35] ?? 0) ^ 0xff;
    await refused('x.zip', corrupt, 'a');
    for (const length of [10, 60, archive.length - 30, archive.length - 1]) {
      await refused('x.zip', archive.subarray(0, length));
    }
  });

  it.each(['x.tar', 'x.TAR.GZ', 'x.txt'])('%s: one file, byte for byte', async (name) => {
    const archive = await tarGzOf(...members('a'));
    expect(await upload(name, archive)).toEqual({ kind: 'file', bytes: archive, executable: false });
  });
});
