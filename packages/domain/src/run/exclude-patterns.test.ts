import { describe, expect, it } from 'vitest';
import { excludeMatcher } from './exclude-patterns.ts';
import { matchGlob, parseGlob } from './glob.ts';

const tree = ['d', 'd/e', 'd/e/f', 'd/x.txt', 'y.txt', '.hidden', 'd/.git', 'd/.git/config'];

/** Checked against GNU tar 1.34 packing `.` with the same `--exclude`; see the comments for the two deliberate differences. */
describe('exclude patterns', () => {
  it.each([
    ['d', ['y.txt', '.hidden']],
    ['./d', ['y.txt', '.hidden']],
    ['e/f', ['d', 'd/e', 'd/x.txt', 'y.txt', '.hidden', 'd/.git', 'd/.git/config']],
    ['*e/f', ['d', 'd/e', 'd/x.txt', 'y.txt', '.hidden', 'd/.git', 'd/.git/config']],
    ['d*f', ['d', 'd/e', 'd/x.txt', 'y.txt', '.hidden', 'd/.git', 'd/.git/config']],
    ['d*g', ['d', 'd/e', 'd/e/f', 'd/x.txt', 'y.txt', '.hidden', 'd/.git']],
    ['d/', tree],
    ['/d', tree],
    ['d//e', tree],
    ['', tree],
    ['*/', tree],
    ['[de]', ['y.txt', '.hidden']],
    ['[[:alpha:]]', ['y.txt', '.hidden']],
    ['[]d]', ['y.txt', '.hidden']],
    ['[d', tree],
    ['\\d', ['y.txt', '.hidden']],
    ['f\\', tree],
    ['d/*', ['d', 'y.txt', '.hidden']],
    ['x*', ['d', 'd/e', 'd/e/f', 'y.txt', '.hidden', 'd/.git', 'd/.git/config']],
    ['*.txt', ['d', 'd/e', 'd/e/f', '.hidden', 'd/.git', 'd/.git/config']],
    ['./y.txt', ['d', 'd/e', 'd/e/f', 'd/x.txt', '.hidden', 'd/.git', 'd/.git/config']],
    ['.git', ['d', 'd/e', 'd/e/f', 'd/x.txt', 'y.txt', '.hidden']],
    // tar applies these two to `.` itself and packs nothing at all; here they mean the entries.
    ['.*', ['d', 'd/e', 'd/e/f', 'd/x.txt', 'y.txt']],
    ['*', []],
  ])('%j keeps the rest', (pattern, kept) => {
    const excluded = excludeMatcher([pattern]);
    expect(tree.filter((path) => !excluded(path))).toEqual(kept);
  });

  it('are told apart from what is alike', () => {
    const excluded = excludeMatcher(['*bye*.txt']);
    expect(
      ['hi.txt', 'bye.txt', 'goodbye.txt', 'stdout', 'stderr'].filter((path) => !excluded(path)),
    ).toEqual(['hi.txt', 'stdout', 'stderr']);
  });

  it('keep everything when there are none, and never the directory itself', () => {
    expect(excludeMatcher([])('.git')).toBe(false);
    expect(excludeMatcher(['*'])('')).toBe(false);
  });
});

describe('globs', () => {
  it.each([
    ['a*c', 'abbc', true],
    ['a*c', 'abbcd', false],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', true],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['[a\\]b]', ']', true],
    ['[a-]', '-', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['**', '', true],
    ['', '', true],
    ['[[:digit:]x]*', '5y', true],
    ['[[:nonsense:]]', ':]', true],
    ['?', 'é', true],
  ])('%s against %j', (pattern, text, expected) => {
    expect(matchGlob(parseGlob(pattern), text)).toBe(expected);
  });

  it('take no time with many stars', () => {
    expect(matchGlob(parseGlob('*a'.repeat(40)), `${'a'.repeat(5000)}b`)).toBe(false);
  });
});
