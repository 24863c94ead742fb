import { afterEach, expect, it, vi } from 'vitest';
import { runSlurmCommand } from './commands.ts';

afterEach(() => vi.unstubAllEnvs());

it('what the environment says about other jobs does not decide about these', async () => {
  const kept = { SLURM_CONF: '/etc/slurm.conf', HOME: '/home/me' };
  const others = { SBATCH_PARTITION: 'p', SQUEUE_ACCOUNT: 'a', SLURM_MEM_PER_CPU: '1', SLURM_CLUSTERS: 'c' };
  for (const [name, value] of Object.entries({ ...kept, ...others })) vi.stubEnv(name, value);

  const lines = (await runSlurmCommand('env', [], { CODALAB_USERNAME: 'me' })).split('\n');

  expect(lines).toEqual(
    expect.arrayContaining(['SLURM_CONF=/etc/slurm.conf', 'HOME=/home/me', 'CODALAB_USERNAME=me']),
  );
  expect(lines.filter((line) => /^S(?:BATCH|QUEUE|LURM)_/.test(line))).toEqual(
    expect.arrayContaining(['SLURM_TIME_FORMAT=%s']),
  );
  expect(lines.join('\n')).not.toMatch(/SBATCH_|SQUEUE_|SLURM_MEM|SLURM_CLUSTERS/);
});

it('what a command says on its way to fail is said on', async () => {
  await expect(runSlurmCommand('sh', ['-c', 'echo "sbatch: error: No." >&2; exit 1'])).rejects.toThrow(
    'Slurm (sh) says: No.',
  );
});
