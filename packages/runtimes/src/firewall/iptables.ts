/** Rules of the host's firewall, set and taken away one by one; those that are there already are left alone. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** More copies of one rule than workers set at once. */
const mostCopies = 20;

export interface Rule {
  /** Default `filter`. */
  readonly table?: 'nat';
  readonly chain: string;
  readonly match: readonly string[];
  /** At the end of the chain, not at its beginning. */
  readonly last?: true;
}

/** Sets the rules that are not there yet. Throws what the program says. */
export async function setRules(rules: readonly Rule[]): Promise<void> {
  for (const rule of rules) {
    if (!(await succeeds(words('-C', rule)))) {
      await run('iptables', words(rule.last === true ? '-A' : '-I', rule));
    }
  }
}

/** Takes rules away, also where several workers have set them at the same time. */
export async function unsetRules(rules: readonly Rule[]): Promise<void> {
  for (const rule of rules) {
    for (let set = 0; set < mostCopies && (await succeeds(words('-D', rule))); set += 1);
  }
}

/** Makes a chain of rules that is not there yet. */
export async function ensureChain(chain: string): Promise<void> {
  if (!(await succeeds(['-w', '-n', '-L', chain]))) {
    await run('iptables', ['-w', '-N', chain]).catch(async (error: unknown) => {
      // Another worker was first.
      if (!(await succeeds(['-w', '-n', '-L', chain]))) throw error;
    });
  }
}

/** Removes a chain that no rule leads to. */
export async function removeChain(chain: string): Promise<void> {
  if (await succeeds(['-w', '-F', chain])) await succeeds(['-w', '-X', chain]);
}

function words(command: string, { table, chain, match }: Rule): string[] {
  return ['-w', ...(table === undefined ? [] : ['-t', table]), command, chain, ...match];
}

/** False: iptables says that there is no such thing. Anything else that is wrong (no iptables, not root) is thrown. */
export async function succeeds(parameters: readonly string[]): Promise<boolean> {
  try {
    await run('iptables', parameters);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) {
      return false;
    }
    throw error;
  }
}
