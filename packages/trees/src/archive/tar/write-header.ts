/** Writes tar headers: ustar, with a POSIX extended header where a field does not hold the value. */
import { Buffer } from 'node:buffer';
import { blockSize } from './header.ts';

export interface TarRecord {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'link';
  readonly mode: number;
  readonly size: number;
  readonly link?: string;
  /** Seconds since the epoch. */
  readonly modifiedAt: number;
}

const typeFlag = { file: '0', directory: '5', link: '2' } as const;
const largestOctal = 0o77777777777;

/** The header blocks of one member, extended ones included. */
export function writeHeader(record: TarRecord): Buffer {
  const extended: [string, string][] = [];
  if (!fits(record.name)) extended.push(['path', record.name]);
  if (record.link !== undefined && !fits(record.link)) extended.push(['linkpath', record.link]);
  if (record.size > largestOctal) extended.push(['size', String(record.size)]);
  const header = block(record, typeFlag[record.type], Math.min(record.size, largestOctal));
  if (extended.length === 0) return header;
  const records = Buffer.concat(extended.map(([key, value]) => paxLine(key, value)));
  const extension = block(
    { name: 'pax_header', type: 'file', mode: 0o644, size: records.length, modifiedAt: record.modifiedAt },
    'x',
    records.length,
  );
  return Buffer.concat([extension, records, Buffer.alloc(padding(records.length)), header]);
}

export function padding(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

function fits(text: string): boolean {
  return text.length <= 100 && /^[\x20-\x7e]*$/.test(text);
}

function block(record: TarRecord, flag: string, size: number): Buffer {
  const bytes = Buffer.alloc(blockSize);
  writeText(bytes, 0, 100, record.name);
  writeOctal(bytes, 100, 8, record.mode);
  writeOctal(bytes, 108, 8, 0);
  writeOctal(bytes, 116, 8, 0);
  writeOctal(bytes, 124, 12, size);
  writeOctal(bytes, 136, 12, record.modifiedAt);
  bytes.fill(0x20, 148, 156);
  bytes.write(flag, 156, 'latin1');
  writeText(bytes, 157, 100, record.link ?? '');
  bytes.write('ustar\u000000', 257, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** What does not fit is cut: the extended header has the whole. */
function writeText(bytes: Buffer, at: number, length: number, text: string): void {
  Buffer.from(text).copy(bytes, at, 0, length);
}

function writeOctal(bytes: Buffer, at: number, length: number, value: number): void {
  const whole = Math.max(0, Math.floor(value));
  bytes.write(`${whole.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
}

/** `length key=value\n`, where the length counts its own digits. */
function paxLine(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}
