import { withoutArchiveExtension } from './archive-name.ts';

/** Names for bundles whose maker gave none (bundles.md §2.3, cli.md §4.10). */

/** Makes a valid name of any text: at most 32 characters, `<prefix>-` in front if there is a prefix. */
export function sanitizedName(prefix: string | undefined, text: string): string {
  const plain = (prefix === undefined ? text : `${prefix}-${text}`)
    .replace(/[^a-zA-Z0-9_.-]/gu, '-')
    .replace(/-+/g, '-');
  const name = /^[a-zA-Z_]/.test(plain) ? plain : `_${plain}`;
  return name.length > 32 ? `${name.slice(0, 15)}..${name.slice(-15)}` : name;
}

/**
 * The name of an upload from the base names of its sources (for a URL: what follows its last slash, query included).
 * Unless the archive is kept packed its extension is not part of the name.
 */
export function uploadName(baseNames: readonly string[], options: { pack: boolean }): string {
  return nameOfContents(sanitizedName(undefined, baseNames.join('-')), options);
}

/** A name, given or computed, without the ending of an archive that is going to be unpacked. */
export function nameOfContents(name: string, options: { pack: boolean }): string {
  return options.pack ? name : withoutArchiveExtension(name);
}

export function runName(command: string): string {
  return sanitizedName('run', command.split(' ', 1)[0] ?? '');
}

/**
 * The name of a make from its targets as typed. A single one without key lends its last component, unsanitised, which
 * for a uuid is no valid name: the server then says so.
 */
export function makeName(targets: readonly string[]): string {
  const [only, ...others] = targets;
  if (only !== undefined && others.length === 0 && !only.includes(':'))
    return only.slice(only.lastIndexOf('/') + 1);
  return sanitizedName('make', targets.join(' '));
}
