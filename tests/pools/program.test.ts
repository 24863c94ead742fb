/* `bin/cl-worker-manager` as its users start it, before any pool comes into play. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, startProcess } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root, run } from '../support/programs.ts';

const program = join(root, 'bin/cl-worker-manager');

describe('cl-worker-manager', () => {
  let installation: Installation;
  let directory: string;
  let environment: Record<string, string>;
  beforeAll(async () => {
    installation = new Installation('sandbox');
    await installation.startServer();
    // Programs in place of Slurm's, with an empty queue.
    directory = mkdtempSync(join(tmpdir(), 'sheaf-no-slurm-'));
    for (const [name, text] of Object.entries({ sinfo: 'echo main', squeue: 'echo asked >>"$0.log"' })) {
      writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(directory, name), 0o755);
    }
    const account = readFileSync(join(installation.home, 'administrator.json'), 'utf8');
    const { username = '', password = '' } = JSON.parse(account) as Record<string, string>;
    environment = {
      PATH: `${directory}:${process.env['PATH'] ?? ''}`,
      CODALAB_USERNAME: username,
      CODALAB_PASSWORD: password,
    };
  });
  afterAll(async () => {
    await installation?.stop();
    rmSync(directory, { recursive: true });
  });
  const words = (...more: string[]) => [
    '--server',
    installation.url,
    '--min-workers',
    '0',
    ...more,
    'slurm-batch',
    '--partition',
    'main',
  ];

  it('explains itself, and each kind of pool', async () => {
    const general = await run(program, ['--help']);
    expect(general.stdout).toContain('--min-seconds-between-workers SECONDS');
    for (const [kind, flag] of [
      ['slurm-batch', '--partition NAME  (required)'],
      ['kubernetes', '--cluster-host URL  (required)'],
      ['aws-batch', '--job-queue NAME'],
      ['azure-batch', '--log-container-url URL  (required)'],
    ] as const) {
      expect(general.stdout).toContain(kind);
      expect((await run(program, [kind, '--help'])).stdout).toContain(flag);
    }
  });

  it('says that a password is wrong in the words scripts wait for, and ends with 0', async () => {
    const env = { ...environment, CODALAB_PASSWORD: 'wrong' };
    const { code, stdout } = await run(program, words('--once'), { env });

    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'Invalid username or password. Please try again:\n',
    });
  });

  it.each([
    [['--once'], { CODALAB_PASSWORD: '' }, /The workers need a user to sign in as: set CODALAB_USERNAME/],
    [['--once', '--server', 'http://127.0.0.1:1'], {}, /Cannot reach .* is --server right\?/],
    [['--once', '--worker-group', 'nobody-has-this'], {}, /There is no group "nobody-has-this"/],
    [['--once', '--search', '.count'], {}, /ask for a number, not for runs/],
  ])('refuses in words: %j', async (more, changes, sentence) => {
    const env = { ...environment, ...changes };
    const { code, stderr } = await run(program, words(...more), { env });

    expect(code).toBe(1);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('starts itself afresh where it is told to, and ends with its signal', async () => {
    const child = startProcess(program, words('--restart-after-seconds', '0.5', '--sleep-time', '0.1'), {
      env: environment,
      detached: false,
    });
    const starts = () => child.output.split('0 to 10 workers for the runs of everybody').length - 1;
    await eventually('a third start', () => starts() >= 3 || undefined);

    expect((await child.stop('SIGTERM')).code).toBe(0);
    expect(child.output).toContain('Ended. Workers go on');
  });
});
