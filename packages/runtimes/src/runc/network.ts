/**
 * Connects runs with the outside: each has a network of its own and a cable to the host, whose name on the host says its address, so
 * that the kernel itself gives each address out once, to whichever worker of the host asks, and takes it back when the run is gone.
 *
 * Runs with network access are connected before they start (`e`: with a way out). Others are connected when the worker first wants
 * to reach one of their ports (`i`: to the worker only), which most never are.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { claimedNetworks, claimNetworks, type Claim } from '../docker/network-claims.ts';
import { ensureChain, removeChain, setRules, unsetRules, type Rule } from '../firewall/iptables.ts';
import { metadataServices } from '../firewall/metadata.ts';

const run = promisify(execFile);

/** Of the range for measuring networks (RFC 2544), which nothing else routes: 198.18 with a way out, 198.19 without. */
const ranges = { e: '198.18', i: '198.19' } as const;
const hostAddress = '198.18.0.1';
const claimKey = 'runc';
const chain = 'SHEAF-RUNC';
const cables = /^shr[ei][0-9a-f]{4}$/;
/** Bridges of engines, on which other runs may be. */
const bridges = ['docker+', 'br-+', 'sh-+', 'podman+', 'cni+', 'virbr+'];

export type Reach = keyof typeof ranges;

/** In the order in which they are looked at. */
export function networkRules(): { readonly own: readonly Rule[]; readonly entries: readonly Rule[] } {
  const rule = (...match: string[]): Rule => ({ chain, match, last: true });
  return {
    own: [
      ...metadataServices.map((service) => rule('-i', 'shre+', ...service, '-j', 'DROP')),
      rule('-o', 'shr+', '-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'ACCEPT'),
      rule('-o', 'shr+', '-j', 'DROP'),
      rule('-i', 'shri+', '-j', 'DROP'),
      ...bridges.map((bridge) => rule('-i', 'shre+', '-o', bridge, '-j', 'DROP')),
      rule('-i', 'shre+', '-j', 'ACCEPT'),
    ],
    entries: [
      { chain: 'FORWARD', match: ['-j', chain] },
      // Replies to the worker's own connections pass; whatever a run begins does not.
      { chain: 'INPUT', match: ['-i', 'shr+', '-m', 'conntrack', '--ctstate', 'NEW', '-j', 'DROP'] },
      {
        table: 'nat',
        chain: 'POSTROUTING',
        match: ['-s', `${ranges.e}.0.0/16`, '!', '-o', 'shr+', '-j', 'MASQUERADE'],
      },
    ],
  };
}

// Called by the worker, or by runc with the run's state on standard input. A program that starts costs more than what it does here: one
// `ip` makes the cable and sets up the host's end, another one the run's. One that cannot name the cable so, because its address is
// given out, stops there. Without version 6 the host has no address that the rules do not know; the run has not begun yet.
const connectScript = `
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
reach=$1 range=$2 file=$3 pid=$4
shift 4
if [ "$pid" = - ]; then
  IFS= read -r pid
  pid=\${pid#*'"pid":'}
  pid=\${pid# }
  pid=\${pid%%[!0-9]*}
fi
for hex in "$@"; do
  cable=shr$reach$hex
  address=$range.$((0x\${hex%??})).$((0x\${hex#??}))
  ip -batch - <<END && break
link add name $cable type veth peer name eth0 netns $pid
address add ${hostAddress}/32 peer $address/32 dev $cable
link set $cable up
END
  cable=
done
[ -n "$cable" ] || exit 1
echo 1 >/proc/sys/net/ipv6/conf/$cable/disable_ipv6 2>/dev/null
way=
[ $reach = i ] || way="route add default via ${hostAddress} dev eth0"
nsenter --net=/proc/$pid/ns/net ip -batch - <<END || exit 1
address add $address/32 dev eth0
link set eth0 up
route add ${hostAddress} dev eth0
$way
END
printf %s $address >"$file"
`;

const candidates = 20;

/**
 * The command line that connects a run.
 * @param file where the address is written to
 * @param pid a process of the run; undefined: it is on standard input, in an OCI state
 */
export function connectCommand(reach: Reach, file: string, pid: number | undefined): string[] {
  const numbers = Array.from({ length: candidates }, () => randomInt(0x0100, 0xff00));
  const words = numbers.map((number) => number.toString(16).padStart(4, '0'));
  return [
    '/bin/sh',
    '-c',
    connectScript,
    'connect',
    reach,
    ranges[reach],
    file,
    String(pid ?? '-'),
    ...words,
  ];
}

export class RuncNetworks {
  #claim: Claim | undefined;
  /** Why runs cannot have networks that lead out; undefined: they can. */
  #missing: string | undefined;

  /** Sets the rules of the firewall. */
  async prepare(): Promise<void> {
    this.#claim = await claimNetworks(claimKey);
    try {
      await run('ip', ['-V']);
      await run('nsenter', ['--version']);
      const { own, entries } = networkRules();
      await ensureChain(chain);
      await setRules(own);
      await setRules(entries);
      await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
    } catch (error) {
      this.#missing =
        error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? '') : String(error);
    }
  }

  get available(): boolean {
    return this.#missing === undefined;
  }

  get words(): string {
    return this.#missing === undefined
      ? 'runs cannot reach this host, cloud metadata services or each other'
      : `runs with network access share the network of this host, because theirs cannot be connected (${this.#missing})`;
  }

  /** Takes the rules away again, unless other workers or runs need them. */
  async release(): Promise<void> {
    const claim = this.#claim;
    if (claim === undefined) return;
    this.#claim = undefined;
    await claim.release();
    if (!this.available || (await claimedNetworks()).has(claimKey) || (await isAnybodyConnected())) return;
    const { entries } = networkRules();
    await unsetRules(entries);
    await removeChain(chain);
  }
}

async function isAnybodyConnected(): Promise<boolean> {
  return (await readdir('/sys/class/net')).some((name) => cables.test(name));
}
