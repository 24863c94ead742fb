import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArchiveError } from '../../errors.ts';
import { bzip2Of, inPieces } from '../../fixtures/archives.ts';
import { collected, someBytes } from '../../fixtures/bytes.ts';
import { bunzip2 } from './bunzip2.ts';

const ways = [
  ['with the program', 'bzip2'],
  ['without the program', 'there-is-no-such-program'],
] as const;

describe.each(ways)('bunzip2 %s', (_way, program) => {
  const unpack = async (bytes: Buffer, piece = 10_000): Promise<Buffer> =>
    await collected(bunzip2(inPieces(bytes, piece), program));

  it.each<[string, Buffer, number]>([
    ['nothing', Buffer.alloc(0), 9],
    ['a word', Buffer.from('hello'), 9],
    [
      'runs',
      Buffer.concat([
        Buffer.alloc(3, 'a'),
        Buffer.alloc(4, 'b'),
        Buffer.alloc(5, 'c'),
        Buffer.alloc(300, 'd'),
      ]),
      9,
    ],
    ['several small blocks', someBytes(450_000), 1],
    ['zeros', Buffer.alloc(3_000_000), 9],
    ['random bytes', randomBytes(1_000_000), 9],
    ['text', Buffer.from(Array.from({ length: 60_000 }, (_, index) => `line ${index}\n`).join('')), 9],
  ])('undoes bzip2 of %s', async (_title, bytes, level) => {
    expect((await unpack(bzip2Of(bytes, level))).equals(bytes)).toBe(true);
  });

  it('undoes bzip2, whatever the bytes and the pieces', async () => {
    const few = fc.array(fc.constantFrom(0, 1, 97, 255), { maxLength: 600 });
    await fc.assert(
      fc.asyncProperty(few, fc.integer({ min: 1, max: 40 }), async (values, piece) => {
        const bytes = Buffer.from(values);
        expect((await unpack(bzip2Of(bytes), piece)).equals(bytes)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  it('reads several streams, and ignores what follows them', async () => {
    const packed = Buffer.concat([
      bzip2Of(Buffer.from('hello')),
      bzip2Of(Buffer.from('world')),
      Buffer.from('trailing garbage'),
    ]);
    expect((await unpack(packed, 5)).toString()).toBe('helloworld');
  });

  it('refuses what is no bzip2, cut short or damaged', async () => {
    const packed = bzip2Of(someBytes(20_000));
    await expect(unpack(Buffer.from('no bzip2 at all'))).rejects.toThrow(InvalidArchiveError);
    await expect(unpack(Buffer.alloc(0))).rejects.toThrow(InvalidArchiveError);
    for (const length of [2, 9, 100, packed.length - 1]) {
      await expect(unpack(packed.subarray(0, length))).rejects.toThrow(InvalidArchiveError);
    }
    for (const at of [3, 12, 200, packed.length - 3]) {
      const damaged = Buffer.from(packed);
      damaged[at] = (damaged[at] ?? 0) ^ 0x55;
      await expect(unpack(damaged)).rejects.toThrow(InvalidArchiveError);
    }
  });

  it('gives the error of its source', async () => {
    const source = async function* (): AsyncGenerator<Buffer> {
      yield bzip2Of(Buffer.from('hello')).subarray(0, 20);
      throw new Error('the connection was lost');
    };
    await expect(collected(bunzip2(source(), program))).rejects.toThrow('the connection was lost');
  });

  it('stops when nobody wants more', async () => {
    for await (const _ of bunzip2(inPieces(bzip2Of(Buffer.alloc(5_000_000, 'abc'))), program)) break;
  });
});
