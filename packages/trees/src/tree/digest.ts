import { hash } from 'node:crypto';

/** SHA-256 of bytes in memory, in lower-case hexadecimal. */
export function digestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
