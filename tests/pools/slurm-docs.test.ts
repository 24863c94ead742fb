/* The commands of docs/pools/slurm.md, as they stand there, against a real Slurm and a real server. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeWith, requireSlurm, type Slurm } from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root, run } from '../support/programs.ts';

describeWith('docs/pools/slurm.md', [requireSlurm], () => {
  let slurm: Slurm;
  let installation: Installation;
  beforeAll(async () => {
    slurm = await requireSlurm();
    installation = new Installation('sandbox');
    await installation.startServer();
  });
  afterAll(async () => {
    await slurm?.stop();
    await installation?.stop();
  });

  it('leads from nothing to a run on the cluster', async () => {
    const page = readFileSync(join(root, 'docs/pools/slurm.md'), 'utf8');
    const commands = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, text]) => text).join('');
    const account = readFileSync(join(installation.home, 'administrator.json'), 'utf8');
    const { username, password } = JSON.parse(account) as Record<'username' | 'password', string>;
    const home = join(installation.home, 'user');
    mkdirSync(home);

    const { code, stdout, stderr } = await run('bash', ['--norc', '-eu', '-o', 'pipefail', '-c', commands], {
      cwd: home,
      env: {
        ...slurm.environment,
        PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`,
        HOME: home,
        SHEAF_HOME: installation.home,
        SHEAF_RUNTIME: 'sandbox',
        CODALAB_SESSION: 'test',
        CODALAB_USERNAME: username,
        CODALAB_PASSWORD: password,
        SERVER: installation.url,
      },
    });

    // On a busy machine the run waits long enough for `cl` to say why.
    const complaints = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('staged: '));
    expect({ code, complaints }).toEqual({ code: 0, complaints: [] });
    expect(stdout).toContain('#SBATCH --partition=main');
    expect(stdout).toMatch(/^host-\S+-codalab-slurm-worker-/m);
    expect(stdout).toMatch(/Started job \d+ for the worker/);
    expect(stdout).toContain('Worker started!');
  });
});
