/** What the experiment is told on its command line. */
import { parseArgs } from 'node:util';

export interface ChaosSettings {
  readonly seed: number;
  readonly minutes: number;
  readonly database: 'sqlite' | 'postgresql';
  readonly runtime: 'docker' | 'sandbox';
  /** Runs a minute that are submitted. */
  readonly rate: number;
  /** Keep everything for a look afterwards. */
  readonly keep: boolean;
}

export const exitCodes = { violations: 1, usage: 2, impossible: 3 } as const;

/** One sentence about what is wrong with the command line. */
export class UsageError extends Error {}

export const usage = `Usage: npm run chaos -- [--seed N] [--minutes M] [--database sqlite|postgresql] [--runtime docker|sandbox]
                         [--rate RUNS_PER_MINUTE] [--keep]

A server and three workers on hosts of their own execute runs that depend on each other, while they are killed, cut off, paused,
filled up and given wrong clocks. At the end it is checked that nothing was lost, doubled or left over (docs/chaos.md).

Exit code 0: all is as it should be; 1: it is not; 2: wrong usage; 3: this machine cannot do it.`;

/** @throws UsageError */
export function readSettings(words: readonly string[]): ChaosSettings {
  const values = valuesOf(words);
  return {
    seed: number('seed', values.seed),
    minutes: number('minutes', values.minutes),
    database: oneOf('database', values.database, ['sqlite', 'postgresql']),
    runtime: oneOf('runtime', values.runtime, ['docker', 'sandbox']),
    rate: number('rate', values.rate),
    keep: values.keep,
  };
}

function valuesOf(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        seed: { type: 'string', default: '1' },
        minutes: { type: 'string', default: '3' },
        database: { type: 'string', default: 'sqlite' },
        runtime: { type: 'string', default: 'sandbox' },
        rate: { type: 'string', default: '60' },
        keep: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0) {
    throw new UsageError(`--${name} takes a number above 0, not "${text}".`);
  }
  return value;
}

function oneOf<Choice extends string>(name: string, text: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new UsageError(`--${name} is ${choices.join(' or ')}, not "${text}".`);
  return found;
}
