import { describe, expect, it } from 'vitest';
import { blockSize, parseHeader } from './header.ts';
import { parsePax } from './pax.ts';
import { writeHeader, type TarRecord } from './write-header.ts';
import { readTar } from './read-tar.ts';
import { inPieces } from '../../fixtures/archives.ts';

const plain: TarRecord = { name: './a', type: 'file', mode: 0o644, size: 5, modifiedAt: 1 };

describe('writeHeader', () => {
  it('writes one block for what fits', () => {
    const header = parseHeader(writeHeader(plain));
    expect(header).toMatchObject({ type: '0', mode: 0o644, size: 5 });
    expect(header.name.toString()).toBe('./a');
  });

  it.each([90, 94, 95, 96, 97, 98, 99, 100, 101, 985, 990, 995])(
    'tells a name of %i bytes whole',
    async (length) => {
      const name = 'n'.repeat(length);
      const blocks = writeHeader({ ...plain, name, size: 0 });
      for await (const member of readTar(inPieces(blocks))) expect(member.name.toString()).toBe(name);
    },
  );

  it('tells sizes above eight gigabytes in an extended header', () => {
    const blocks = writeHeader({ ...plain, size: 2 ** 40 });
    const extended = parseHeader(blocks.subarray(0, blockSize));
    expect(extended.type).toBe('x');
    const records = parsePax(blocks.subarray(blockSize, blockSize + extended.size));
    expect(records.records.get('size')?.toString()).toBe(String(2 ** 40));
  });
});
