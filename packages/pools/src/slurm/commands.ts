/** Slurm's own commands. */
import { execFile } from 'node:child_process';
import { PoolError } from '../pool.ts';
import { StartProblem } from '../settings/start-problem.ts';

/** Runs a command to its end and answers its standard output. @throws PoolError with what it said */
export type RunCommand = (
  program: string,
  words: readonly string[],
  environment?: Readonly<Record<string, string>>,
) => Promise<string>;

/** The longest that a command may take: Slurm's own retry for about a minute where the controller is away. */
const patience = 90_000;

export const runSlurmCommand: RunCommand = (program, words, environment = {}) =>
  new Promise((resolve, reject) => {
    // Times as seconds since the epoch, whatever zone the cluster is in.
    const env = { ...ownEnvironment(process.env), SLURM_TIME_FORMAT: '%s', ...environment };
    execFile(
      program,
      words,
      { env, timeout: patience, maxBuffer: 64 * 1024 ** 2 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (error.code === 'ENOENT') reject(missing(program));
        else reject(new PoolError(sentence(program, stderr, error), { cause: error }));
      },
    );
  });

/**
 * Without what decides instead of the flags: `SBATCH_PARTITION` comes before the script's own, and jobs elsewhere are never found again.
 * Those
 * that no flag says are left. Where this program runs in a job itself, that job's variables would be taken for those of the new ones.
 */
function ownEnvironment(given: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !decidesElse(name)));
}

function decidesElse(name: string): boolean {
  return /^(?:SBATCH_(?!QOS$|RESERVATION$)|S(?:QUEUE|INFO|CANCEL|RUN)_|SLURM_(?!CONF(?:_SERVER)?$|JWT$))/.test(
    name,
  );
}

function missing(program: string): StartProblem {
  return new StartProblem(
    `There is no ${program} here: start cl-worker-manager on a machine from which jobs are submitted to Slurm.`,
  );
}

function sentence(program: string, stderr: string, error: Error): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.replace(/^\w+: (?:error: )?/, '').trim())
    .filter((line) => line !== '');
  const said = lines.length === 0 ? error.message : lines.join('; ');
  return `Slurm (${program}) says: ${said.replace(/\.$/, '')}.${advice(said)}`;
}

function advice(said: string): string {
  if (/account/i.test(said)) return ' Name an account of yours with --account, or none with --account "".';
  if (/generic resource|gres/i.test(said)) {
    return ' See --gpus and --gpu-type; --gpus 0 asks for none.';
  }
  return '';
}
