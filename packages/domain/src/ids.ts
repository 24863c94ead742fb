/** Identifiers as users see them: `0x` and 32 lower-case hexadecimal digits (bundles.md §2.1). */
export type Uuid = `0x${string}`;

const uuidPattern = /^0x[0-9a-f]{32}$/;
const uuidPrefixPattern = /^0x[0-9a-f]{1,31}$/;
const namePattern = /^[a-zA-Z_][a-zA-Z0-9_.-]*$/;

export function isUuid(text: string): text is Uuid {
  return uuidPattern.test(text) && !text.endsWith('\n');
}

/** A shortened identifier: at least one digit, fewer than 32. */
export function isUuidPrefix(text: string): boolean {
  return uuidPrefixPattern.test(text) && !text.endsWith('\n');
}

/** Names of bundles, worksheets, groups and users (bundles.md §2.2). */
export function isName(text: string): boolean {
  return namePattern.test(text) && !text.endsWith('\n');
}

/** Formats 16 random bytes (a version 4 UUID without its dashes) as an identifier. */
export function uuidFromBytes(bytes: Uint8Array): Uuid {
  if (bytes.length !== 16) throw new RangeError(`A uuid has 16 bytes, not ${bytes.length}`);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `0x${hex}`;
}
