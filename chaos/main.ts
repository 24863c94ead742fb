/** `npm run chaos`: see `usage`. Ends with 1 when something was lost, doubled or left over. */
import { spawnSync } from 'node:child_process';
import { requireNetwork, requirePostgres, SkipReason } from '@sheaf/testkit';
import { experiment } from './experiment.ts';
import { report } from './report.ts';
import { exitCodes, readSettings, usage, UsageError, type ChaosSettings } from './settings.ts';

const words = process.argv.slice(2);
if (words.includes('--help')) console.log(usage);
else process.exitCode = await run(words);

async function run(given: readonly string[]): Promise<number> {
  try {
    return await carryOut(readSettings(given));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof UsageError) {
      console.error(message);
      return exitCodes.usage;
    }
    if (error instanceof SkipReason) {
      console.error(`The experiment cannot be made on this machine: it needs ${message}`);
      return exitCodes.impossible;
    }
    console.error('The experiment could not be carried out:', error);
    return exitCodes.violations;
  }
}

async function carryOut(settings: ChaosSettings): Promise<number> {
  const began = performance.now();
  console.log(
    `Seed ${settings.seed}, ${settings.minutes} minutes, ${settings.database}, ${settings.runtime}`,
  );
  const network = await requireNetwork();
  const postgres = settings.database === 'postgresql' ? await requirePostgres() : undefined;
  try {
    const outcome = await experiment(settings, { network, postgres }, (line) => console.log(line));
    console.log(report(outcome, settings, { commit: commit(), seconds: (performance.now() - began) / 1000 }));
    return outcome.violations.length === 0 ? 0 : exitCodes.violations;
  } finally {
    await postgres?.stop();
  }
}

/** What is checked out, and whether it was changed since. */
function commit(): string {
  const git = (...asked: string[]) =>
    spawnSync('git', asked, { cwd: process.env['SHEAF_ROOT'], encoding: 'utf8' }).stdout?.trim() ?? '';
  const name = git('rev-parse', '--short', 'HEAD') || 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? name : `${name} with changes`;
}
