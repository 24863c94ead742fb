import { describe, expect, it } from 'vitest';
import { archiveKindOf, isDirectoryArchive, withoutArchiveEnding } from './kinds.ts';

describe('archiveKindOf', () => {
  it.each([
    ['x.tar.gz', 'tar.gz', 'x'],
    ['x.tgz', 'tar.gz', 'x'],
    ['x.tar.bz2', 'tar.bz2', 'x'],
    ['x.zip', 'zip', 'x'],
    ['x.gz', 'gz', 'x'],
    ['x.bz2', 'bz2', 'x'],
    ['x.y.tar.gz', 'tar.gz', 'x.y'],
    ['x.tar', undefined, 'x.tar'],
    ['x.tar.xz', undefined, 'x.tar.xz'],
    ['x.tbz2', undefined, 'x.tbz2'],
    ['x.TAR.GZ', undefined, 'x.TAR.GZ'],
    ['zip', undefined, 'zip'],
    ['', undefined, ''],
  ])('takes %j for %s', (name, kind, rest) => {
    expect(archiveKindOf(name)).toBe(kind);
    expect(withoutArchiveEnding(name)).toBe(rest);
  });

  it('knows which of them are directories', () => {
    expect((['tar.gz', 'tar.bz2', 'zip'] as const).every(isDirectoryArchive)).toBe(true);
    expect((['gz', 'bz2'] as const).some(isDirectoryArchive)).toBe(false);
  });
});
