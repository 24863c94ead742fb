import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startProcess } from '../processes.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sheaf-requirement-'));
  const include = [relative(root, fileURLToPath(new URL('fixtures/missing.fixture.ts', import.meta.url)))];
  await writeFile(
    join(directory, 'vitest.config.mjs'),
    `export default ${JSON.stringify({ root, test: { include } })};`,
  );
});
afterAll(() => rm(directory, { recursive: true }));

async function testRun(environment: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const { CI: _, VITEST: __, ...others } = process.env;
  const child = startProcess(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      join(directory, 'vitest.config.mjs'),
      '--configLoader',
      'runner',
      '--reporter=verbose',
    ],
    { cwd: root, env: { ...others, NO_COLOR: '1', ...environment } },
  );
  const { code } = await child.ended;
  return { code, output: child.output };
}

it('a group whose service is missing is skipped by name', async () => {
  const { code, output } = await testRun({});

  expect(output).toMatch(/↓ .*by night > needs the moon: it is not up/);
  expect(output).toMatch(/1 passed \| 1 skipped/);
  expect(code).toBe(0);
});

it('where everything has to run, it fails instead', async () => {
  const { code, output } = await testRun({ CI: 'true' });

  expect(output).toMatch(/× .*by night > needs the moon: it is not up/);
  expect(code).toBe(1);
});
