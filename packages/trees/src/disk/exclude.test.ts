import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { excludeNames, excludePatterns } from './exclude.ts';

const paths = [
  'a',
  'a.txt',
  'bye.txt',
  'goodbye.txt',
  'hi.txt',
  'd/a',
  'd/a.txt',
  'd/e/a',
  'd/e/f.log',
  'da/x',
  'x[1]',
  'x1',
  'star*',
  'Ünï',
  '.git/config',
  'd/.git/config',
];

const patterns = [
  'a',
  '*bye*.txt',
  '*.txt',
  'd/*',
  'd/a',
  './a',
  './d',
  'e/a',
  '*/a',
  '.git',
  'd*x',
  'd/?',
  'x[1]',
  'x\\[1\\]',
  'star\\*',
  '[!a-m]*',
  'd[^b]*',
  'd/e',
  '*',
  'x[',
  'Ü*',
  'nothing',
  'f.log',
];

describe('excludePatterns', () => {
  it.each(patterns)('leaves out with %j what tar leaves out', async (pattern) => {
    const directory = await temporaryDirectory();
    for (const path of paths) {
      mkdirSync(join(directory, dirname(path)), { recursive: true });
      writeFileSync(join(directory, path), '');
    }
    const environment = { ...process.env, LC_ALL: 'C.UTF-8' };
    const tar = execFileSync('tar', ['-cf', '-', `--exclude=${pattern}`, '.'], {
      cwd: directory,
      env: environment,
    });
    const kept = execFileSync('tar', ['-tf', '-', '--quoting-style=literal'], {
      input: tar,
      encoding: 'utf8',
      env: environment,
    })
      .split('\n')
      .filter((line) => line !== '' && !line.endsWith('/'))
      .map((line) => line.slice(2));
    const excluded = excludePatterns([pattern]);
    // A directory that is left out takes all below it along, as the scan does.
    const isLeftOut = (path: string): boolean => {
      const parts = path.split('/');
      return parts.some((_, index) => excluded(parts.slice(0, index + 1).join('/')));
    };

    expect(paths.filter((path) => !isLeftOut(path)).toSorted()).toEqual(kept.toSorted());
  });

  it('never leaves out the top itself, as tar does with a pattern that matches its dot', () => {
    const excluded = excludePatterns(['?']);
    expect(paths.filter(excluded)).toEqual(['a', 'd/a', 'd/e/a', 'da/x']);
  });

  it('takes a slash at the end for a directory', () => {
    expect(excludePatterns(['d/'])('d')).toBe(true);
  });

  it('takes no longer for patterns made to be slow', () => {
    const slow = excludePatterns([`${'*a'.repeat(50)}b`]);
    expect(slow('a'.repeat(2000))).toBe(false);
  });
});

describe('excludeNames', () => {
  it('looks at base names alone', () => {
    const excluded = excludeNames(['f*']);
    expect(['f1', 'd/f2', 'g1', 'f/g'].filter(excluded)).toEqual(['f1', 'd/f2']);
  });
});
