import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { typeFlags } from '../open-pool.ts';
import { parseCommandLine } from '../settings/command-line.ts';
import { jobScript } from './script.ts';
import { readSlurmSettings, type SlurmSettings } from './settings.ts';

const slurm: SlurmSettings = {
  partition: 'jag',
  jobName: 'workers',
  user: 'me',
  cpus: 3,
  gpus: 2,
  gpuType: 'a100',
  memoryMegabytes: 2048,
  time: '10-0',
  account: 'nlp',
  constraint: 'fast|new',
  nodelist: 'n[1-3]',
  exclude: 'n2',
  directory: '/d',
  passwordFile: null,
  mostFailed: null,
  dryRun: false,
};
const job = { comment: 'sheaf/p/w', output: '/d/my out', executable: 'echo', flags: ['--tag', 'a b'] };

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'sheaf-script-'))));
afterEach(() => rmSync(directory, { recursive: true }));

/** Runs the script with a srun that does what it is told, and GPUs as nvidia-smi lists them. */
function run(given: Partial<SlurmSettings>, gpus: readonly string[], visible?: string): string {
  const program = (name: string, text: string) => {
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(directory, name), 0o755);
  };
  const lines = gpus.map((uuid, index) => `GPU ${index}: NVIDIA A100 (UUID: ${uuid})`);
  program(
    'nvidia-smi',
    gpus.length === 0 ? 'exit 9' : `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')}`,
  );
  program('srun', 'shift; exec "$@"');
  const named = visible === undefined ? {} : { CUDA_VISIBLE_DEVICES: visible };
  return execFileSync('bash', ['-c', jobScript({ slurm: { ...slurm, ...given }, ...job })], {
    env: { PATH: `${directory}:${process.env['PATH'] ?? ''}`, ...named },
    encoding: 'utf8',
  }).trim();
}

it('asks Slurm for what was asked for', () => {
  const options = jobScript({ slurm, ...job })
    .split('\n')
    .filter((line) => line.startsWith('#SBATCH'));

  expect(options).toEqual([
    '#SBATCH --job-name=workers',
    '#SBATCH --mem=2048M',
    '#SBATCH --partition=jag',
    '#SBATCH --gres=gpu:a100:2',
    '#SBATCH --cpus-per-task=3',
    '#SBATCH --ntasks-per-node=1',
    '#SBATCH --time=10-0',
    '#SBATCH --open-mode=append',
    '#SBATCH --output="/d/my out"',
    '#SBATCH --comment=sheaf/p/w',
    '#SBATCH --account=nlp',
    '#SBATCH --constraint=fast|new',
    '#SBATCH --nodelist=n[1-3]',
    '#SBATCH --exclude=n2',
  ]);
});

it('names the output where it is, whatever that is called', () => {
  expect(jobScript({ slurm, ...job, output: '/d/100%j/w.out' })).toContain('--output=/d/100%%j/w.out\n');
});

it.each(['1\n#SBATCH --uid=0', '1"', '1\\'])('what a line of a script cannot hold is refused: %j', (text) => {
  const around = { login: 'me', currentDirectory: '/' };
  for (const flag of ['time', 'constraint', 'slurm-work-dir', 'account']) {
    const words = ['slurm-batch', '--partition', 'p', `--${flag}=${text}`];
    expect(() => readSlurmSettings(parseCommandLine(words, typeFlags), around)).toThrow(
      `--${flag} may hold no quotes`,
    );
  }
  const words = parseCommandLine(['slurm-batch', '--partition', 'p'], typeFlags);
  expect(() => readSlurmSettings(words, { ...around, currentDirectory: `/${text}` })).toThrow(
    'cannot be named in a job script',
  );
});

it('hands the worker the GPUs that Slurm shows, or none', () => {
  expect(run({}, ['GPU-a', 'GPU-b'])).toBe('--tag a b --gpuset GPU-a,GPU-b');
  expect(run({}, [])).toBe('--tag a b --gpuset NONE');
  expect(run({ gpus: 0 }, ['GPU-a'])).toBe('--tag a b --gpuset NONE');
});

it('hands it only those of the job where Slurm shows those of others, too', () => {
  expect(run({}, ['GPU-a', 'GPU-b', 'GPU-c', 'GPU-d'], '1,3')).toBe('--tag a b --gpuset GPU-b,GPU-d');
  // Numbered anew where the others are hidden.
  expect(run({}, ['GPU-b', 'GPU-d'], '0,1')).toBe('--tag a b --gpuset GPU-b,GPU-d');
});
