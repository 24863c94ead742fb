/** Which file names mean an archive (bundles.md §12.3): case-sensitive, the longest ending first. */

export const archiveKinds = ['tar.gz', 'tar.bz2', 'zip', 'gz', 'bz2'] as const;
export type ArchiveKind = (typeof archiveKinds)[number];

const endings: readonly (readonly [string, ArchiveKind])[] = [
  ['.tar.gz', 'tar.gz'],
  ['.tgz', 'tar.gz'],
  ['.tar.bz2', 'tar.bz2'],
  ['.zip', 'zip'],
  ['.gz', 'gz'],
  ['.bz2', 'bz2'],
];

/** The kind of archive a file of this name is unpacked as, or undefined where it stays a plain file. */
export function archiveKindOf(filename: string): ArchiveKind | undefined {
  return endings.find(([ending]) => filename.endsWith(ending))?.[1];
}

/** True where unpacking gives a directory. */
export function isDirectoryArchive(kind: ArchiveKind): boolean {
  return kind !== 'gz' && kind !== 'bz2';
}

/** The name without its archive ending: `data.tar.gz` → `data`. */
export function withoutArchiveEnding(filename: string): string {
  const found = endings.find(([ending]) => filename.endsWith(ending));
  return found === undefined ? filename : filename.slice(0, -found[0].length);
}
