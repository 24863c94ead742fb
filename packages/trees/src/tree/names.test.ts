import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidNameError } from '../errors.ts';
import { compareNames, decodeName, escapeBytes } from './names.ts';

describe('compareNames', () => {
  it('orders names as their UTF-8 bytes are ordered', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareNames(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  it('puts characters beyond the basic plane after all others', () => {
    expect(compareNames('😀', '\uffee')).toBeGreaterThan(0);
  });
});

describe('decodeName', () => {
  it('refuses bytes that are not UTF-8, and shows them', () => {
    expect(() => decodeName(Buffer.from([0x61, 0xff, 0x62]))).toThrow(InvalidNameError);
    expect(() => decodeName(Buffer.from([0x61, 0xff, 0x62]))).toThrow('a\\xffb');
    expect(escapeBytes(Buffer.from('é'))).toBe('\\xc3\\xa9');
  });
});
