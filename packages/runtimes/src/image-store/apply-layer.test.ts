import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLayer } from './apply-layer.ts';
import { archiveOf, inPieces, type ArchiveEntry } from './fixtures/archive.ts';
import { DamagedImageError } from './scope.ts';

let place: string;
let root: string;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'sheaf-layer-'));
  root = join(place, 'rootfs');
  mkdirSync(root);
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

async function apply(...layers: readonly (readonly ArchiveEntry[])[]) {
  let last;
  for (const entries of layers) last = await applyLayer(inPieces(archiveOf(entries)), root);
  return last;
}

function list(directory = root, prefix = ''): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => [
    `${prefix}${entry.name}`,
    ...(entry.isDirectory() ? list(join(directory, entry.name), `${prefix}${entry.name}/`) : []),
  ]);
}

const directory = (name: string, more: Partial<ArchiveEntry> = {}): ArchiveEntry => ({
  name,
  type: '5',
  ...more,
});
const link = (name: string, to: string): ArchiveEntry => ({ name, type: '2', link: to });

describe('a layer', () => {
  it('brings files with their owners, modes and times', async () => {
    const applied = await apply([
      directory('./', { mode: 0o750 }),
      directory('./home/', { mode: 0o1777, modified: 1_111_111_111 }),
      {
        name: './home/tool',
        body: 'x'.repeat(300_000),
        mode: 0o4755,
        uid: 1234,
        gid: 2345,
        modified: 1_222_222_222,
      },
    ]);

    const tool = lstatSync(join(root, 'home/tool'));
    expect([tool.mode & 0o7777, tool.uid, tool.gid, tool.mtimeMs, tool.size]).toEqual([
      0o4755, 1234, 2345, 1_222_222_222_000, 300_000,
    ]);
    const home = lstatSync(join(root, 'home'));
    expect([home.mode & 0o7777, home.mtimeMs]).toEqual([0o1777, 1_111_111_111_000]);
    expect(lstatSync(root).mode & 0o7777).toBe(0o750);
    expect(applied).toMatchObject({ bytes: 300_000, leftOut: 0 });
  });

  it('makes hard links one file, also to what is below', async () => {
    await apply([{ name: 'a', body: 'same' }], [{ name: 'b', type: '1', link: './a' }]);

    expect(lstatSync(join(root, 'a')).ino).toBe(lstatSync(join(root, 'b')).ino);
  });

  it('takes away what is below, and nothing that it brings itself', async () => {
    await apply(
      [
        directory('d'),
        { name: 'd/old' },
        { name: 'd/kept' },
        directory('e'),
        { name: 'e/old' },
        { name: 'f' },
      ],
      [
        { name: 'e/new', body: 'new' },
        { name: 'd/.wh.old' },
        { name: 'e/.wh..wh..opq' },
        { name: '.wh.f' },
        { name: '.wh.never' },
      ],
      [{ name: 'd/.wh.kept' }, { name: 'd/.wh..wh.plnk' }, { name: 'nowhere/.wh.x' }],
    );

    expect(list()).toEqual(['d', 'e', 'e/new']);
  });

  it('takes a link away, not what it leads to', async () => {
    await apply([directory('d'), { name: 'd/file' }, link('l', 'd')], [{ name: '.wh.l' }]);

    expect(list()).toEqual(['d', 'd/file']);
  });

  it('puts one kind of thing in the place of another', async () => {
    await apply(
      [directory('d'), { name: 'd/file' }, link('l', 'd'), { name: 'f' }],
      [{ name: 'd', body: 'now a file' }, directory('l'), link('f', 'l')],
    );

    expect(readFileSync(join(root, 'd'), 'utf8')).toBe('now a file');
    expect(lstatSync(join(root, 'l')).isDirectory()).toBe(true);
    expect(readlinkSync(join(root, 'f'))).toBe('l');
  });

  it('follows links of the layers below as a program in the image would', async () => {
    await apply(
      [directory('usr'), directory('usr/lib'), link('lib', '/usr/lib'), link('deep', '../../../usr')],
      [
        { name: 'lib/one', body: '1' },
        { name: 'deep/lib/two', body: '2' },
      ],
    );

    expect(list(join(root, 'usr'))).toEqual(['lib', 'lib/one', 'lib/two']);
  });

  it('leaves devices and pipes out', async () => {
    const applied = await apply([
      directory('dev'),
      { name: 'dev/sda', type: '4' },
      { name: 'dev/null', type: '3' },
      { name: 'p', type: '6' },
    ]);

    expect(list()).toEqual(['dev']);
    expect(applied?.leftOut).toBe(3);
  });

  it('may have names of any bytes', async () => {
    await apply([{ name: 'caf\xe9', body: 'x' }]);

    expect(readdirSync(Buffer.from(root), 'latin1')).toEqual(['caf\xe9']);
  });
});

describe('a layer that means harm', () => {
  it.each<[string, ArchiveEntry[]]>([
    ['a name upwards', [{ name: '../escaped', body: 'x' }]],
    ['a name upwards in the middle', [{ name: 'a/../../escaped', body: 'x' }]],
    ['a hard link to a name upwards', [{ name: 'h', type: '1', link: '../outside/secret' }]],
    ['a hard link through a link', [link('out', '/'), { name: 'h', type: '1', link: 'out/outside/secret' }]],
    ['a hard link to nothing', [{ name: 'h', type: '1', link: 'nothing' }]],
    ['a whiteout of the directory above', [directory('d'), { name: 'd/.wh...' }]],
    ['a whiteout of itself', [{ name: '.wh.' }]],
    ['a link without a target', [link('a', '')]],
    ['links in circles', [link('a', 'b'), link('b', 'a'), { name: 'a/x' }]],
    ['a file in a file', [{ name: 'f' }, { name: 'f/g' }]],
  ])('is refused: %s', async (_, entries) => {
    await expect(apply(entries)).rejects.toThrow(DamagedImageError);
    expect(readdirSync(place)).toEqual(['rootfs']);
  });

  it('writes inside of the image through links that lead outside', async () => {
    mkdirSync(join(place, 'outside'));
    await apply(
      [link('abs', join(place, 'outside')), link('up', '../outside')],
      [{ name: 'abs/file', body: 'x' }, { name: 'up/file', body: 'x' }, { name: 'up/.wh.nothing' }],
    );

    expect(readdirSync(join(place, 'outside'))).toEqual([]);
    expect(existsSync(join(root, 'outside/file'))).toBe(true);
  });

  it('sets no times of what has taken the place of a directory', async () => {
    mkdirSync(join(place, 'outside/a'), { recursive: true });
    const before = statSync(join(place, 'outside/a')).mtimeMs;
    await apply([
      { name: 'd/a', type: '5' },
      { name: 'd', type: '2', link: '../outside' },
      { name: 'e/a', type: '5' },
      { name: 'e', body: 'x' },
    ]);

    expect(statSync(join(place, 'outside/a')).mtimeMs).toBe(before);
    expect(readFileSync(join(root, 'e'), 'utf8')).toBe('x');
  });

  it('never touches anything outside, whatever is in it', async () => {
    const name = fc
      .array(
        fc.constantFrom(
          'a',
          'b',
          'c',
          '..',
          '.',
          '',
          '.wh.a',
          '.wh.b',
          '.wh..wh..opq',
          'outside',
          '.wh.outside',
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      )
      .map((parts) => parts.join('/'));
    const target = fc.oneof(name, fc.constantFrom('/', '..', '../..', '../outside', '/../outside/kept'));
    const entry = fc.record({
      name,
      type: fc.constantFrom('0', '1', '2', '5', '3'),
      link: target,
      body: fc.constant('x'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(entry, { maxLength: 8 }), { minLength: 1, maxLength: 3 }),
        async (layers) => {
          const here = mkdtempSync(join(place, 'case-'));
          root = join(here, 'rootfs');
          mkdirSync(root);
          mkdirSync(join(here, 'outside'));
          mkdirSync(join(here, 'outside/kept'));
          await apply(
            ...layers.map((entries) => entries.map((one) => (one.type === '0' ? one : { ...one, body: '' }))),
          ).catch((error: unknown) => {
            if (!(error instanceof DamagedImageError)) throw error;
          });

          expect(readdirSync(here)).toEqual(['outside', 'rootfs']);
          expect(list(join(here, 'outside'))).toEqual(['kept']);
          rmSync(here, { recursive: true });
        },
      ),
      { numRuns: 300 },
    );
  });
});
