/** What the command line of the program is made of (execution.md §27.1). */

export interface Flag {
  readonly name: string;
  /** What stands for the value in the help; none for a switch. */
  readonly value?: string;
  /** Takes every word up to the next flag. */
  readonly several?: true;
  readonly default?: string;
  readonly required?: true;
  /** In English, for somebody who has never seen the program. */
  readonly help: string;
}

export const poolTypes = ['slurm-batch', 'kubernetes', 'aws-batch', 'azure-batch'] as const;

/** Where workers are started. */
export type PoolType = (typeof poolTypes)[number];

export function isPoolType(word: string): word is PoolType {
  return (poolTypes as readonly string[]).includes(word);
}
