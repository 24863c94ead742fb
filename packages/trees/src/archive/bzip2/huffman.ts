/** Canonical Huffman codes of up to 20 bits. */
import type { BitReader } from './bit-reader.ts';
import { damaged } from './damaged.ts';

const longestCode = 20;

export interface HuffmanTable {
  readonly shortest: number;
  /** For each length of code: the largest code of that length, or -1. */
  readonly largest: Int32Array;
  /** For each length: what to subtract from a code to get its place in `symbols`. */
  readonly base: Int32Array;
  /** Symbols by length of code, then by number. */
  readonly symbols: Uint16Array;
}

/** Reads the lengths of the codes, each told as its difference from the one before. */
export function readTable(bits: BitReader, alphabet: number): HuffmanTable {
  const lengths = new Uint8Array(alphabet);
  let length = bits.take(5);
  for (let symbol = 0; symbol < alphabet; symbol += 1) {
    for (;;) {
      if (length < 1 || length > longestCode) throw damaged();
      if (bits.take(1) === 0) break;
      length += bits.take(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  return tableOf(lengths);
}

function tableOf(lengths: Uint8Array): HuffmanTable {
  const largest = new Int32Array(longestCode + 1).fill(-1);
  const base = new Int32Array(longestCode + 1);
  const symbols = new Uint16Array(lengths.length);
  let placed = 0;
  let code = 0;
  for (let length = 1; length <= longestCode; length += 1) {
    base[length] = code - placed;
    const before = placed;
    for (const [symbol, own] of lengths.entries()) {
      if (own !== length) continue;
      symbols[placed] = symbol;
      placed += 1;
    }
    code += placed - before;
    if (placed > before) largest[length] = code - 1;
    code *= 2;
  }
  return { shortest: Math.min(...lengths), largest, base, symbols };
}

export function decodeSymbol(bits: BitReader, table: HuffmanTable): number {
  let length = table.shortest;
  let code = bits.take(length);
  for (;;) {
    if (code <= (table.largest[length] ?? -1)) {
      const symbol = table.symbols[code - (table.base[length] ?? 0)];
      if (symbol === undefined) throw damaged();
      return symbol;
    }
    if (length >= longestCode) throw damaged();
    length += 1;
    code = code * 2 + bits.take(1);
  }
}
