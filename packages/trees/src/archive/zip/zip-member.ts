/** What a zip directory says about a member, read in the way most writers meant it. */
import { Buffer, isUtf8 } from 'node:buffer';
import { getFileNameLowLevel, type Entry as ZipEntry } from 'yauzl';

const madeOn = { dos: 0, unix: 3, macos: 19 } as const;

/**
 * Names are UTF-8 or, without the flag that says so, code page 437. Many writers leave the flag out and write UTF-8 all the
 * same, so valid UTF-8 is taken as such. Programs on Windows wrote backslashes between components.
 */
export function zipMemberName(member: ZipEntry): string {
  const raw = member.fileNameRaw;
  const name = isUtf8(raw)
    ? Buffer.from(raw).toString('utf8')
    : getFileNameLowLevel(member.generalPurposeBitFlag, raw, member.extraFields, true);
  const host = member.versionMadeBy >>> 8;
  return host === madeOn.dos && !name.includes('/') ? name.replaceAll('\\', '/') : name;
}

/** Unix mode with the type of file, or 0 where the archive was not made on a Unix. */
export function zipMemberMode(member: ZipEntry): number {
  const host = member.versionMadeBy >>> 8;
  return host === madeOn.unix || host === madeOn.macos ? member.externalFileAttributes >>> 16 : 0;
}
