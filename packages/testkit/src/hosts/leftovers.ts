/**
 * Networks of test runs that have crashed. Each network says in the alias of its bridge which process made it; whose maker is gone is
 * removed by the next one.
 */
import { readFileSync } from 'node:fs';
import { ip, ipIfThere } from './command.ts';

export const prefix = 'shf';

interface Link {
  readonly ifname: string;
  readonly ifalias?: string;
}

/** The maker, in a form that a later process of the same number does not have. */
export function makerOf(pid: number): string {
  return `sheaf-test ${pid} ${startOf(pid) ?? 0}`;
}

export function removeLeftovers(): void {
  for (const { ifname, ifalias } of JSON.parse(ip('-j', 'link', 'show', 'type', 'bridge')) as Link[]) {
    if (!ifname.startsWith(prefix) || ifalias === undefined || isAlive(ifalias)) continue;
    removeNetwork(ifname);
  }
}

/** Its hosts go first, and the ends of their cables with them. */
export function removeNetwork(bridge: string): void {
  for (const name of namespaces()) if (name.startsWith(`${bridge}-`)) ipIfThere('netns', 'delete', name);
  ipIfThere('link', 'delete', bridge);
}

function namespaces(): string[] {
  const text = ip('-j', 'netns', 'list').trim();
  return text === '' ? [] : (JSON.parse(text) as { name: string }[]).map(({ name }) => name);
}

function isAlive(alias: string): boolean {
  const [, pid = '', start] = /^sheaf-test (\d+) (\d+)$/.exec(alias) ?? [];
  return startOf(Number(pid)) === Number(start);
}

/** In clock ticks since the machine started; undefined for no such process. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}
