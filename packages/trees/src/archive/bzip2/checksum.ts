/** The CRC-32 of bzip2: that of Ethernet, but with the most significant bit first. */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

/** Goes on from `start`; the first start is all ones, and the end is inverted. */
export function checksumOf(bytes: Uint8Array, start: number): number {
  let checksum = start;
  for (const byte of bytes) checksum = (checksum << 8) ^ (table[(checksum >>> 24) ^ byte] ?? 0);
  return checksum >>> 0;
}
