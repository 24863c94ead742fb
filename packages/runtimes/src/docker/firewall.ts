/**
 * Rules on the host that keep runs away from the host itself and from cloud metadata services, which hand out the machine's
 * credentials to whoever asks from it. They need root on the engine's host; who cannot set them says so.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RunNetwork } from './networks.ts';

const run = promisify(execFile);

type Rule = readonly [chain: string, ...match: string[]];

/** Replies to the worker's own connections (netcat to a run) pass; whatever a run begins does not. */
export function firewallRules(network: RunNetwork): readonly Rule[] {
  const begun = ['-m', 'conntrack', '--ctstate', 'NEW'];
  return [
    ['DOCKER-USER', '-i', network.bridge, '-d', '169.254.0.0/16', '-j', 'DROP'],
    ['INPUT', '-i', network.bridge, ...begun, '-j', 'DROP'],
  ];
}

/** Sets the rules that are not there yet. Answers why it could not, or undefined. */
export async function protectHost(network: RunNetwork): Promise<string | undefined> {
  try {
    for (const [chain, ...match] of firewallRules(network)) {
      if (!(await succeeds(['-w', '-C', chain, ...match]))) {
        await run('iptables', ['-w', '-I', chain, ...match]);
      }
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}

async function succeeds(parameters: readonly string[]): Promise<boolean> {
  try {
    await run('iptables', parameters);
    return true;
  } catch (error) {
    // Status 1 is the answer "no such rule"; anything else (no iptables, not root) is for the caller.
    if (error instanceof Error && 'code' in error && error.code === 1) {
      return false;
    }
    throw error;
  }
}
