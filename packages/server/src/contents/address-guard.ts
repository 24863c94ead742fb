/*
 * Which addresses the server fetches from for its users: public ones. Its own network is behind it, and what answers there
 * trusts it (bundles.md §12.7). Names are checked when they are resolved for the connection, so that a second answer of a
 * name server cannot lead elsewhere.
 */
import { lookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net';
import { SheafError } from '@sheaf/wire';

const closed = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  closed.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 128],
  ['::1', 128],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  closed.addSubnet(network, prefix, 'ipv6');
}

export function isPublicAddress(address: string): boolean {
  // An IPv4 address in IPv6 clothes is judged as what it is.
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return isPublicAddress(mapped);
  if (/^::ffff:/i.test(address)) return false;
  return isIP(address) !== 0 && !closed.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

/** @throws SheafError `invalid-request` when the host is an address that is not public; names are left to the look-up */
export function refuseClosedHost(host: string): void {
  const address = host.replace(/^\[|\]$/g, '');
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw refusal(host);
}

function refusal(host: string): SheafError {
  return new SheafError(
    'invalid-request',
    `${host} is not a public address; the server does not fetch from there.`,
  );
}

/** Resolves a name to one public address. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) {
      callback(error, '', 0);
      return;
    }
    const open = addresses.filter(({ address }) => isPublicAddress(address));
    const [first] = open;
    if (first === undefined) callback(refusal(hostname), '', 0);
    else if (options.all === true) callback(null, open);
    else callback(null, first.address, first.family);
  });
};

/** The public address behind a host name. @throws SheafError `invalid-request` */
export async function publicAddressOf(host: string): Promise<string> {
  refuseClosedHost(host);
  return await new Promise((resolve, reject) => {
    guardedLookup(host.replace(/^\[|\]$/g, ''), {}, (error, address) => {
      if (error === null && typeof address === 'string') resolve(address);
      else reject(error ?? refusal(host));
    });
  });
}
