import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeWhole } from './files.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-files-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('leaves the new file, and nothing else', async () => {
  await writeWhole(join(directory, 'a'), 'one');
  await writeWhole(join(directory, 'a'), 'two');

  expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('two');
  expect(readdirSync(directory)).toEqual(['a']);
});

it('leaves nothing of what could not be written', async () => {
  mkdirSync(join(directory, 'a', 'occupied'), { recursive: true });

  await expect(writeWhole(join(directory, 'a'), 'one')).rejects.toThrow(/EISDIR|ENOTEMPTY/u);
  expect(readdirSync(directory)).toEqual(['a']);
});
