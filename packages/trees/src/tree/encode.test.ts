import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidNameError, InvalidTreeError } from '../errors.ts';
import { decodePack, encodePack } from '../transfer/pack.ts';
import { decodeLargeTree, decodeTree } from './decode.ts';
import { digestOf } from './digest.ts';
import { encodeLargeTree } from './encode-large.ts';
import { encodeTree } from './encode.ts';
import type { Entry, NamedEntry } from './entry.ts';
import { nameProblem, targetProblem } from './names.ts';

const document = readFileSync(new URL('../../../../docs/contents.md', import.meta.url), 'utf8');

function vectors<T>(name: string): T[] {
  const block = new RegExp(`\`\`\`json ${name}\n([^]*?)\`\`\``).exec(document)?.[1];
  if (block === undefined) throw new Error(`docs/contents.md has no ${name}`);
  return JSON.parse(block) as T[];
}

const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const count = fc.oneof(fc.nat(), fc.maxSafeNat());
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), digest, size: count, executable: fc.boolean() }),
  fc.record({ kind: fc.constant('tree' as const), digest, size: count, files: count }),
  fc.record({
    kind: fc.constant('link' as const),
    target: fc
      .string({ unit: 'binary', minLength: 1, maxLength: 300 })
      .filter((text) => targetProblem(text) === undefined),
  }),
);
const name = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 80 })
  .filter((text) => nameProblem(text) === undefined);
const entries = fc.uniqueArray(fc.record({ name, entry }), {
  selector: (named) => named.name,
  maxLength: 12,
});

describe('the published test vectors', () => {
  it.each(
    vectors<{ title: string; entries: NamedEntry[]; encoding: string; digest: string }>('tree-vectors'),
  )('encode and decode $title', (vector) => {
    const encoded = encodeTree(vector.entries);

    expect(encoded.toString('hex')).toBe(vector.encoding);
    expect(digestOf(encoded)).toBe(vector.digest);
    const decoded = decodeTree(Buffer.from(vector.encoding, 'hex'));
    expect(new Map(decoded.map((named) => [named.name, named.entry]))).toEqual(
      new Map(vector.entries.map((named) => [named.name, named.entry])),
    );
  });

  it.each(vectors<{ title: string; encoding: string }>('tree-refusals'))('refuse $title', ({ encoding }) => {
    expect(() => decodeTree(Buffer.from(encoding, 'hex'))).toThrow(InvalidTreeError);
  });

  it.each(vectors<{ title: string; blobs: string[]; pack: string }>('pack-vectors'))(
    'pack $title',
    async (vector) => {
      const blobs = vector.blobs.map((hex) => Buffer.from(hex, 'hex'));

      const packed = await collect(encodePack(blobs.map((bytes) => ({ digest: digestOf(bytes), bytes }))));
      const unpacked = await collect(decodePack(onePiece(Buffer.from(vector.pack, 'hex'))));

      expect(Buffer.concat(packed).toString('hex')).toBe(vector.pack);
      expect(unpacked.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual(vector.blobs);
    },
  );
});

async function* onePiece(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

describe('very many entries', () => {
  it('are encoded and decoded as few are, in whatever order they come', async () => {
    const digest = digestOf(Buffer.from('x'));
    const many = Array.from({ length: 23_456 }, (_, index): NamedEntry => {
      const name = `${(index * 7919) % 23_456}${index % 50 === 0 ? '😀' : ''}${index % 70 === 0 ? '\uffee' : ''}`;
      return { name, entry: { kind: 'file', digest, size: index, executable: false } };
    });

    const encoded = await encodeLargeTree(many);

    expect(encoded.equals(encodeTree(many))).toBe(true);
    expect(await decodeLargeTree(encoded)).toEqual(decodeTree(encoded));
    const twice = [...many, { name: '5', entry: { kind: 'link', target: 'x' } } as const];
    await expect(encodeLargeTree(twice)).rejects.toThrow(InvalidTreeError);
    await expect(decodeLargeTree(encoded.subarray(0, -1))).rejects.toThrow(InvalidTreeError);
  });
});

describe('encodeTree', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(entries, (given) => {
        const decoded = decodeTree(encodeTree(given));

        expect(new Map(decoded.map((named) => [named.name, named.entry]))).toEqual(
          new Map(given.map((named) => [named.name, named.entry])),
        );
      }),
    );
  });

  it('gives the same bytes in whatever order the entries come', () => {
    const shuffled = entries.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length })),
    );
    fc.assert(
      fc.property(shuffled, ([given, other]) => {
        expect(encodeTree(other).equals(encodeTree(given))).toBe(true);
      }),
    );
  });

  it('has no second encoding: any changed byte is refused or means something else', () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, place, change) => {
        const encoded = encodeTree(given);
        const changed = Buffer.from(encoded);
        const at = place % changed.length;
        changed[at] = (changed[at] ?? 0) ^ change;
        let decoded: NamedEntry[];
        try {
          decoded = decodeTree(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidTreeError);
          return;
        }
        expect(encodeTree(decoded).equals(changed)).toBe(true);
      }),
    );
  });

  it.each(['', '.', '..', 'a/b', 'a\0', '\ud800', 'x'.repeat(256), 'é'.repeat(128)])(
    'refuses the name %j',
    (bad) => {
      const link: Entry = { kind: 'link', target: 'x' };
      expect(() => encodeTree([{ name: bad, entry: link }])).toThrow(InvalidNameError);
    },
  );

  it('takes names of 255 bytes', () => {
    const long = 'é'.repeat(127) + 'a';
    expect(decodeTree(encodeTree([{ name: long, entry: { kind: 'link', target: 'x' } }]))[0]?.name).toBe(
      long,
    );
  });

  it('refuses two entries of one name, sizes that are none and texts that are no digest', () => {
    const link: Entry = { kind: 'link', target: 'x' };
    const twice = [
      { name: 'a', entry: link },
      { name: 'a', entry: link },
    ];
    expect(() => encodeTree(twice)).toThrow(InvalidTreeError);
    const file = { kind: 'file', digest: 'ab'.repeat(32), size: 1, executable: false } as const;
    expect(() => encodeTree([{ name: 'a', entry: { ...file, size: -1 } }])).toThrow(InvalidTreeError);
    expect(() => encodeTree([{ name: 'a', entry: { ...file, size: 2 ** 53 } }])).toThrow(InvalidTreeError);
    expect(() => encodeTree([{ name: 'a', entry: { ...file, digest: 'AB'.repeat(32) } }])).toThrow(
      InvalidTreeError,
    );
  });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
