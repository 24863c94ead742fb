import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { summarizeFile, summarizeText, type ByteReader } from './summary.ts';

function fileOf(bytes: Uint8Array): ByteReader & { largestRead: number } {
  return {
    size: bytes.length,
    largestRead: 0,
    read(offset, length) {
      this.largestRead = Math.max(this.largestRead, length);
      return Promise.resolve(bytes.slice(offset, offset + length));
    },
  };
}

function summarize(text: string, head: number, tail: number, maxLineLength: number): Promise<string> {
  return summarizeFile(fileOf(new TextEncoder().encode(text)), {
    head,
    tail,
    maxLineLength,
    truncationText: '....',
  });
}

describe('summaries', () => {
  it.each([
    ['aaa\nbbb\n', 1, 0, 4, 'aaa\n'],
    ['aaa\nbbb\n', 0, 1, 4, 'bbb\n'],
    ['aaa\nbbb\n', 1, 1, 4, 'aaa\nbbb\n'],
    ['aaa\nbbb\n', 1, 0, 3, ''],
    ['aaa\nbbb\n', 1, 1, 3, '....'],
    ['1\n2\n3\n4\n5\n', 1, 1, 128, '1\n....5\n'],
    ['1\n2\n3\n4\n5\n', 0, 2, 128, '4\n5\n'],
    ['hello world', 50, 0, 128, 'hello world\n'],
    ['a\r\nb\r\n', 5, 5, 128, 'a\nb\n'],
    [`${'x'.repeat(300)}\nend\n`, 1, 1, 128, '....end\n'],
    ['', 5, 5, 128, ''],
    // A last line without end keeps its last character, also when the file is large.
    [`${'x'.repeat(300)}\nend`, 1, 1, 128, '....end\n'],
    [`a\n${'x'.repeat(300)}\nb`, 1, 1, 128, 'a\n....b\n'],
    [`a\n${'ü'.repeat(300)}\nö\n`, 1, 1, 128, 'a\n....ö\n'],
    [`first\r\n${'x'.repeat(300)}\r\nlast\r\n`, 1, 1, 128, 'first\n....last\n'],
  ])('of %j', async (text, head, tail, maxLineLength, expected) => {
    expect(await summarize(text, head, tail, maxLineLength)).toBe(expected);
  });

  it('say when a file is no text', async () => {
    const options = { head: 1, tail: 1, maxLineLength: 128, truncationText: '' };
    expect(await summarizeFile(fileOf(new Uint8Array([0xff, 0xfe])), options)).toBe('<binary>');
    expect(await summarizeFile(fileOf(new Uint8Array(1000).fill(0xff)), options)).toBe('<binary>');
  });

  it('are not fooled by characters torn at the cuts', async () => {
    for (let shift = 0; shift < 4; shift += 1) {
      const text = `${'y'.repeat(shift)}${'€'.repeat(200)}\nend\n`;
      expect(await summarize(text, 1, 1, 64)).toBe('....end\n');
    }
  });

  it('keep the lines a reader of the whole text would keep, when lines are short enough', async () => {
    const lines = fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀'), maxLength: 5 }), {
      minLength: 1,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(lines, fc.nat(4), fc.nat(4), fc.boolean(), async (all, head, tail, ended) => {
        const options = { head, tail, maxLineLength: 24, truncationText: '....' };
        const text = all.join('\n') + (ended ? '\n' : '');
        const file = fileOf(new TextEncoder().encode(text));
        expect(await summarizeFile(file, options)).toBe(summarizeText(text, options));
        expect(file.largestRead).toBeLessThanOrEqual(Math.max(1, head + tail) * 24 + 1);
      }),
    );
  });
});
