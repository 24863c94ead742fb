import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeAll } from './files.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sheaf-deep-'));
});
afterEach(() => spawnSync('rm', ['-rf', root]));

it('removes what lies deeper than any path may lead, and nothing beside it', async () => {
  const deep = join(root, 'deep');
  mkdirSync(deep);
  writeFileSync(join(root, 'beside'), 'stays');
  const script = `
    const fs = require('node:fs');
    for (let level = 0; level < 3000; level += 1) {
      fs.mkdirSync('d'); fs.writeFileSync('file', ''); fs.symlinkSync(${JSON.stringify(root)}, 'link');
      fs.mkdirSync(Buffer.from([0xff])); process.chdir('d');
    }`;
  expect(spawnSync(process.execPath, ['-e', script], { cwd: deep }).status).toBe(0);

  await removeAll(deep);

  expect(existsSync(deep)).toBe(false);
  expect(existsSync(join(root, 'beside'))).toBe(true);
});

it('has nothing to do where there is nothing', async () => {
  await removeAll(join(root, 'nothing'));
  rmSync(root, { recursive: true });
});
