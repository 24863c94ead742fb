import { expect, it } from 'vitest';
import { contentDisposition } from './disposition.ts';

it('keeps plain names plain', () => {
  expect(contentDisposition('inline', 'a b.txt')).toBe('inline; filename="a b.txt"');
});

it('escapes quotes, and gives other letters a second time', () => {
  expect(contentDisposition('attachment', 'a"b.txt')).toBe(
    `attachment; filename="a\\"b.txt"; filename*=UTF-8''a%22b.txt`,
  );
  expect(contentDisposition('inline', 'Über.txt')).toBe(
    `inline; filename="_ber.txt"; filename*=UTF-8''%C3%9Cber.txt`,
  );
});

it('never lets a name break out of its header', () => {
  expect(contentDisposition('inline', 'a\r\nx: y')).not.toMatch(/[\r\n]/);
});
