import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replaceAllMatches } from './replace.ts';

function replaced(pattern: string, replacement: string, text: string): string {
  const result = replaceAllMatches(pattern, replacement, text);
  return result.ok ? result.value : `problem: ${result.problem}`;
}

describe('replacing', () => {
  it.each([
    ['a|ab', '-', 'ab', '-b'],
    ['(a+)(b*)', '\\2\\1', 'aabx', 'baax'],
    ['x*', '-', 'abxd', '-a-b--d-'],
    ['a+?', '-', 'aaa', '---'],
    ['a{2,3}', '-', 'aaaaa', '--'],
    ['a{2}', '-', 'aaaaa', '--a'],
    ['a{,2}b', '-', 'aaab', 'a-'],
    ['{x}', '-', '{x}', '-'],
    ['^a', '-', 'aa', '-a'],
    ['a$', '-', 'aa\n', 'a-\n'],
    ['a\\Z', '-', 'aa\n', 'aa\n'],
    ['\\bfoo\\b', '-', 'foo food foo', '- food -'],
    ['\\d+', '#', 'a12b3', 'a#b#'],
    ['[^\\d\\s]', '.', 'a1 b', '.1 .'],
    ['[]a]', '-', 'a]b', '--b'],
    ['[a-c-]', '.', 'b-d', '..d'],
    ['(?P<y>\\d{4})-(?P<m>\\d\\d)', '\\g<m>.\\g<y>', '2024-05', '05.2024'],
    ['(?:ab)+', '-', 'ababc', '-c'],
    ['(a)|b', '[\\1]', 'ab', '[a][]'],
    ['.', '-', 'a\nb', '-\n-'],
    ['\\.', '\\n', 'a.b', 'a\nb'],
    ['\\x41\\u0042', '-', 'AB', '-'],
    ['(a*)*b', '-', 'aab', '-'],
    ['😀', '-', 'x😀', 'x-'],
    // As Python does it: behind an empty match a longer one may begin.
    ['[^a]*?', '-', 'ba', '---a-'],
    ['(|a)', '-', 'aa', '-----'],
  ])('%s by %s in %j', (pattern, replacement, text, expected) => {
    expect(replaced(pattern, replacement, text)).toBe(expected);
  });

  it.each(['(', ')', '[a', '*a', 'a**', '(?=a)', '(?i)a', '(a)\\1', 'a{3,2}', '[b-a]', '\\q', '\\'])(
    'refuses %s',
    (pattern) => {
      expect(replaceAllMatches(pattern, '', 'a')).toMatchObject({ ok: false });
    },
  );

  it('refuses groups that are not there', () => {
    expect(replaceAllMatches('(a)', '\\2', 'a')).toMatchObject({ ok: false });
    expect(replaceAllMatches('(a)', '\\g<n>', 'a')).toMatchObject({ ok: false });
  });

  it('does not hang on patterns made to hang', () => {
    expect(replaced('(a+)+$', '-', `${'a'.repeat(2000)}b`)).toBe(`${'a'.repeat(2000)}b`);
    expect(replaceAllMatches('(a{1000}){1000}', '-', 'a')).toMatchObject({ ok: false });
    expect(replaceAllMatches('(x|y){0,400}z', '-', 'x'.repeat(100_000))).toMatchObject({ ok: false });
  });

  it('agrees with the engine of the platform where both understand a pattern', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '(a)', '(b|ab)', '(?:a|b)');
    const piece = fc.tuple(atom, fc.constantFrom('', '?', '+', '{1,2}', '+?')).map((parts) => parts.join(''));
    const pattern = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 10 });
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        const expected = subject.replace(new RegExp(source, 'gu'), (match) =>
          match === '' ? match : `<${match}>`,
        );
        // Empty matches are counted differently; patterns that can be empty are left out.
        fc.pre(!new RegExp(`^(?:${source})$`, 'u').test(''));
        expect(replaced(`(?P<all>${source})`, '<\\g<all>>', subject)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });
});
