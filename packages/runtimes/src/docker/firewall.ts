/**
 * Rules on the host that keep runs away from the host itself and from cloud metadata services, which hand out the machine's
 * credentials to whoever asks from it. They need root on the engine's host; who cannot set them says so.
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { setRules, succeeds, unsetRules, type Rule } from '../firewall/iptables.ts';
import { metadataServices } from '../firewall/metadata.ts';
import { bridgePattern, type RunNetwork } from './networks.ts';

const run = promisify(execFile);

/** Replies to the worker's own connections (netcat to a run) pass; whatever a run begins does not. */
export function firewallRules(network: RunNetwork): readonly Rule[] {
  const begun = ['-m', 'conntrack', '--ctstate', 'NEW'];
  return [
    ...metadataServices.map((service) => ({
      chain: 'DOCKER-USER',
      match: ['-i', network.bridge, ...service, '-j', 'DROP'],
    })),
    { chain: 'INPUT', match: ['-i', network.bridge, ...begun, '-j', 'DROP'] },
  ];
}

/** Sets the rules that are not there yet. Answers why it could not, or undefined. */
export async function protectHost(network: RunNetwork): Promise<string | undefined> {
  try {
    await setRules(firewallRules(network));
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Takes the rules away again, also where several workers have set them at the same time. Answers why it could not, or undefined. */
export async function unprotectHost(network: RunNetwork): Promise<string | undefined> {
  try {
    await unsetRules(firewallRules(network));
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Takes away the rules about bridges that are not there any more. Answers why it could not, or undefined.
 * @param claimed keys of networks that somebody is using
 */
export async function removeStrayRules(claimed: ReadonlySet<string>): Promise<string | undefined> {
  try {
    const interfaces = new Set(await readdir('/sys/class/net'));
    for (const chain of ['DOCKER-USER', 'INPUT']) {
      const { stdout } = await run('iptables', ['-w', '-S', chain]);
      for (const line of stdout.split('\n')) {
        const [command, , ...match] = line.trim().split(' ');
        const bridge = match[match.indexOf('-i') + 1] ?? '';
        const key = bridgePattern.exec(bridge)?.[1];
        if (command === '-A' && key !== undefined && !claimed.has(key) && !interfaces.has(bridge)) {
          await succeeds(['-w', '-D', chain, ...match]);
        }
      }
    }
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}
