import { execFileSync } from 'node:child_process';
import { openSync, writeSync, closeSync, ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../fixtures/temporary.ts';
import { centralHeader, endOfDirectory, localHeader, type ZipRecord } from './zip-record.ts';

describe('zip64 records', () => {
  it('say sizes and places above four gigabytes, as other programs read them', async () => {
    const path = join(await temporaryDirectory(), 'x.zip');
    const size = 5 * 2 ** 30;
    const common = { mode: 0o100644, method: 'stored', checksum: 0, streamed: false } as const;
    const big: ZipRecord = {
      ...common,
      name: Buffer.from('big'),
      offset: 0,
      size,
      packedSize: size,
      wide: true,
    };
    const dataStart = localHeader(big).length;
    const small: ZipRecord = {
      ...common,
      name: Buffer.from('small'),
      offset: dataStart + size,
      size: 0,
      packedSize: 0,
      wide: false,
    };
    // The bytes of the large member are a hole in the file.
    const file = openSync(path, 'w');
    writeSync(file, localHeader(big), 0, dataStart, 0);
    ftruncateSync(file, dataStart + size);
    const second = localHeader(small);
    writeSync(file, second, 0, second.length, small.offset);
    const directory = Buffer.concat([centralHeader(big), centralHeader(small)]);
    const offset = small.offset + second.length;
    const end = endOfDirectory({ count: 2, offset, length: directory.length });
    writeSync(file, Buffer.concat([directory, end]), 0, directory.length + end.length, offset);
    closeSync(file);

    const listing = execFileSync('unzip', ['-l', path], { encoding: 'utf8' });

    expect(listing).toMatch(/5368709120 .* big\n/);
    expect(listing).toMatch(/ 0 .* small\n/);
    expect(listing).toContain('2 files');
  });
});
