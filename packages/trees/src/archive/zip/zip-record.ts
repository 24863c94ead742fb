/** The records of a zip file as it is written: names in UTF-8, Unix modes, one fixed time, zip64 where a number needs it. */
import { Buffer } from 'node:buffer';

export interface ZipRecord {
  readonly name: Buffer;
  /** Unix mode with the type of file. */
  readonly mode: number;
  readonly method: 'stored' | 'deflated';
  /** Where the local header begins. */
  readonly offset: number;
  readonly size: number;
  readonly packedSize: number;
  readonly checksum: number;
  /** Sizes and checksum follow the data, because they were not known before it. */
  readonly streamed: boolean;
  /** Sizes take eight bytes at the data; decided before they are known where the member is streamed. */
  readonly wide: boolean;
}

const none = 0xffffffff;
const signature = {
  local: 0x04034b50,
  descriptor: 0x08074b50,
  central: 0x02014b50,
  end: 0x06054b50,
} as const;
const signature64 = { end: 0x06064b50, locator: 0x07064b50 } as const;
const methodNumber = { stored: 0, deflated: 8 } as const;
const flags = { streamed: 0x0008, utf8: 0x0800 } as const;
const version = { plain: 20, zip64: 45 } as const;
const madeOnUnix = 3 << 8;
/** 1980-01-01 00:00, the first moment a zip file can say. */
const date = 0x0021;

export function localHeader(record: ZipRecord): Buffer {
  const { wide } = record;
  const extra = wide
    ? extra64([record.streamed ? 0 : record.size, record.streamed ? 0 : record.packedSize])
    : Buffer.alloc(0);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(signature.local, 0);
  header.writeUInt16LE(wide ? version.zip64 : version.plain, 4);
  writeCommon(header, 6, record);
  header.writeUInt32LE(record.streamed ? 0 : record.checksum, 14);
  header.writeUInt32LE(wide ? none : record.streamed ? 0 : record.packedSize, 18);
  header.writeUInt32LE(wide ? none : record.streamed ? 0 : record.size, 22);
  header.writeUInt16LE(record.name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, record.name, extra]);
}

/** Follows the data of a streamed member. */
export function dataDescriptor(record: ZipRecord): Buffer {
  const { wide } = record;
  const descriptor = Buffer.alloc(wide ? 24 : 16);
  descriptor.writeUInt32LE(signature.descriptor, 0);
  descriptor.writeUInt32LE(record.checksum, 4);
  if (wide) {
    descriptor.writeBigUInt64LE(BigInt(record.packedSize), 8);
    descriptor.writeBigUInt64LE(BigInt(record.size), 16);
  } else {
    descriptor.writeUInt32LE(record.packedSize, 8);
    descriptor.writeUInt32LE(record.size, 12);
  }
  return descriptor;
}

export function centralHeader(record: ZipRecord): Buffer {
  const wide = [record.size, record.packedSize, record.offset].some(isWide);
  const extra = wide ? extra64([record.size, record.packedSize, record.offset]) : Buffer.alloc(0);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(signature.central, 0);
  header.writeUInt16LE(madeOnUnix | (wide ? version.zip64 : version.plain), 4);
  header.writeUInt16LE(wide ? version.zip64 : version.plain, 6);
  writeCommon(header, 8, record);
  header.writeUInt32LE(record.checksum, 16);
  header.writeUInt32LE(wide ? none : record.packedSize, 20);
  header.writeUInt32LE(wide ? none : record.size, 24);
  header.writeUInt16LE(record.name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(((record.mode << 16) | (isDirectory(record) ? 0x10 : 0)) >>> 0, 38);
  header.writeUInt32LE(wide ? none : record.offset, 42);
  return Buffer.concat([header, record.name, extra]);
}

/** What ends the file, zip64 records before it where they are needed. */
export function endOfDirectory(directory: { count: number; offset: number; length: number }): Buffer {
  const { count, offset, length } = directory;
  const wide = count >= 0xffff || isWide(offset) || isWide(length);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(signature.end, 0);
  end.writeUInt16LE(wide ? 0xffff : count, 8);
  end.writeUInt16LE(wide ? 0xffff : count, 10);
  end.writeUInt32LE(wide ? none : length, 12);
  end.writeUInt32LE(wide ? none : offset, 16);
  if (!wide) return end;
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(signature64.end, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(madeOnUnix | version.zip64, 12);
  end64.writeUInt16LE(version.zip64, 14);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(length), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(signature64.locator, 0);
  locator.writeBigUInt64LE(BigInt(offset + length), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}

function isWide(value: number): boolean {
  return value >= none;
}

function isDirectory(record: ZipRecord): boolean {
  return record.name.at(-1) === 0x2f;
}

function writeCommon(header: Buffer, at: number, record: ZipRecord): void {
  header.writeUInt16LE(flags.utf8 | (record.streamed ? flags.streamed : 0), at);
  header.writeUInt16LE(methodNumber[record.method], at + 2);
  header.writeUInt16LE(0, at + 4);
  header.writeUInt16LE(date, at + 6);
}

function extra64(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  return extra;
}
