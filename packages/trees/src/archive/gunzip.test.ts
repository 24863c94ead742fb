import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArchiveError } from '../errors.ts';
import { inPieces } from '../fixtures/archives.ts';
import { collected } from '../fixtures/bytes.ts';
import { gunzip } from './gunzip.ts';

async function unpack(bytes: Buffer, piece = 1000): Promise<string> {
  return (await collected(gunzip(inPieces(bytes, piece)))).toString('latin1');
}

describe('gunzip', () => {
  it('undoes gzip, whatever the pieces and the number of members', async () => {
    const texts = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 200 }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 1, max: 60 }), async (members, piece) => {
        const packed = Buffer.concat(members.map((text) => gzipSync(text)));
        expect(await unpack(packed, piece)).toBe(members.join(''));
      }),
      { numRuns: 50 },
    );
  });

  it('undoes large members', async () => {
    const text = Array.from({ length: 200_000 }, (_, index) => `line ${index}\n`).join('');
    expect(await unpack(Buffer.concat([gzipSync(text), gzipSync(text)]), 64 * 1024)).toBe(text + text);
  });

  it('reads headers with a name, as the program writes them', async () => {
    const packed = execFileSync('bash', [
      '-c',
      'cd $(mktemp -d); echo hello > name; gzip name; cat name.gz; rm -r $PWD',
    ]);
    expect(packed.includes('name')).toBe(true);
    expect(await unpack(packed)).toBe('hello\n');
  });

  it('reads headers with every optional field', async () => {
    const plain = gzipSync('hello');
    const header = Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 3, 0, 1, 2, 3]);
    const packed = Buffer.concat([
      header,
      Buffer.from('name\0comment\0'),
      Buffer.from([9, 9]),
      plain.subarray(10),
    ]);
    for (const piece of [1, 7, 1000]) expect(await unpack(packed, piece)).toBe('hello');
  });

  it.each(['garbage', '\0\0\0\0\0\0\0\0', '\x1f', 'x'])(
    'ignores %j after the last member',
    async (garbage) => {
      for (const piece of [1, 10, 1000]) {
        expect(await unpack(Buffer.concat([gzipSync('hello'), Buffer.from(garbage, 'latin1')]), piece)).toBe(
          'hello',
        );
      }
    },
  );

  it('refuses a stream that is cut short anywhere', async () => {
    const packed = gzipSync('hello hello hello');
    for (let length = 0; length < packed.length; length += 1) {
      await expect(unpack(packed.subarray(0, length), 7)).rejects.toThrow(InvalidArchiveError);
    }
  });

  it('refuses damage', async () => {
    const packed = gzipSync(Buffer.alloc(10_000, 'hello'));
    for (const at of [0, 1, 2, 3, 12, packed.length - 6, packed.length - 2]) {
      const damaged = Buffer.from(packed);
      damaged[at] = (damaged[at] ?? 0) ^ 0xf5;
      await expect(unpack(damaged)).rejects.toThrow(InvalidArchiveError);
    }
  });

  it('stops reading when nobody wants more', async () => {
    let ended = false;
    const source = async function* (): AsyncGenerator<Buffer> {
      try {
        yield* inPieces(gzipSync(Buffer.alloc(10_000_000, 'abc')), 1000);
      } finally {
        ended = true;
      }
    };
    for await (const _ of gunzip(source())) break;
    expect(ended).toBe(true);
  });
});
