import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { findApptainer } from './probe.ts';

const directory = mkdtempSync(join(tmpdir(), 'sheaf-no-apptainer-'));
chmodSync(directory, 0o755);
afterAll(() => rmSync(directory, { recursive: true }));

/** A program that is not what it says it is. */
function fake(script: string): string {
  const program = join(directory, 'fake');
  writeFileSync(
    program,
    `#!/bin/sh\n[ "$1" = --version ] && echo apptainer version 9.9 && exit\n${script}\n`,
  );
  chmodSync(program, 0o755);
  return program;
}

it('Apptainer that is not there is said so', async () => {
  expect(await findApptainer('no-such-program', join(directory, 'a'))).toEqual({
    available: false,
    reason: 'no-such-program is not installed',
  });
});

it.each([
  [
    'may not make namespaces',
    'echo "FATAL: Could not create user namespace" >&2; exit 255',
    /Could not create user namespace$/,
  ],
  ['ends without having started anything', 'exit 1', /ended at once/],
  ['starts something that fails', 'printf s >&3; exit 7', /trial run failed/],
])('Apptainer that %s is not used, and leaves nothing', async (_, script, reason) => {
  const answer = await findApptainer(fake(script), join(directory, 'b'));

  expect(answer).toEqual({ available: false, reason: expect.stringMatching(reason) });
  expect(readdirSync(join(directory, 'b'))).toEqual([]);
});
