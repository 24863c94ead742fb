import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { bundleClient } from '../bundle.mjs';

const outdir = mkdtempSync(join(tmpdir(), 'sheaf-bundle-'));
const { outputs } = await bundleClient({ root: resolve(import.meta.dirname, '../../..'), outdir });
rmSync(outdir, { recursive: true, force: true });

const file = (name: string) => Object.entries(outputs).find(([path]) => path.endsWith(`/${name}.js`))?.[1];

test('what every command loads is small: no schemas, no archives, and of Node only what costs nothing', () => {
  const main = file('main');
  expect(main?.bytes).toBeLessThan(130_000);
  const inputs = Object.keys(main?.inputs ?? {});
  expect(inputs.filter((path) => /node_modules|packages\/trees/.test(path))).toEqual([]);
  const builtins = main?.imports.filter(({ external }) => external === true).map(({ path }) => path) ?? [];
  const allowed = [
    'node:fs',
    'node:os',
    'node:path',
    './contents-engine.js',
    './session-engine.js',
    './terminal-prompt.js',
  ];
  expect(builtins.filter((path) => !allowed.includes(path))).toEqual([]);
});

test('sessions are loaded later, with nothing in them that is told apart by its class', () => {
  const inputs = Object.keys(file('session-engine')?.inputs ?? {});
  expect(inputs.some((path) => path.includes('node_modules/ws/'))).toBe(true);
  expect(
    inputs.filter((path) =>
      /wire\/src\/errors|client\/src\/connection-error|cli\/src\/(usage-error|output)/.test(path),
    ),
  ).toEqual([]);
});

test('what is loaded later shares no class with the rest that is told apart', () => {
  const inputs = Object.keys(file('contents-engine')?.inputs ?? {});
  expect(
    inputs.filter((path) => /packages\/(wire|client)|cli\/src\/(usage-error|output)/.test(path)),
  ).toEqual([]);
});
