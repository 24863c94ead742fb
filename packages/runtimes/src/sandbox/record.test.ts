import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readLog } from './record.ts';

let place: string;
let log: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'sheaf-record-'));
  log = join(place, 'log');
});
afterEach(() => rmSync(place, { recursive: true }));

it('what was said beside a command is read whole', async () => {
  writeFileSync(log, 'sh: 1: Syntax error\n');

  expect(readLog({ log })).toBe('sh: 1: Syntax error\n');
});

it('of what a command has made too long for any memory, the end is read', async () => {
  writeFileSync(log, '');
  truncateSync(log, 3 * 2 ** 30);
  appendFileSync(log, 'the last words');

  const read = readLog({ log });

  expect(read?.endsWith('\0the last words')).toBe(true);
  expect(read?.length).toBe(64 * 1024);
});

it('nothing was said where there is no log', async () => {
  expect(readLog({ log })).toBeUndefined();
});
