/** Name endings that are unpacked, in the order they are tried, and what they unpack to (bundles.md §12.3). */
export const archiveExtensions = [
  { extension: '.tar.gz', unpacksTo: 'directory' },
  { extension: '.tgz', unpacksTo: 'directory' },
  { extension: '.tar.bz2', unpacksTo: 'directory' },
  { extension: '.zip', unpacksTo: 'directory' },
  { extension: '.gz', unpacksTo: 'file' },
  { extension: '.bz2', unpacksTo: 'file' },
] as const;

export type ArchiveExtension = (typeof archiveExtensions)[number]['extension'];

/** The archive ending of a file name (case matters), or undefined when it is stored as it is. */
export function archiveExtensionOf(
  fileName: string,
): { extension: ArchiveExtension; unpacksTo: 'directory' | 'file' } | undefined {
  return archiveExtensions.find(({ extension }) => fileName.endsWith(extension));
}

export function withoutArchiveExtension(name: string): string {
  const archive = archiveExtensionOf(name);
  return archive === undefined ? name : name.slice(0, -archive.extension.length);
}
