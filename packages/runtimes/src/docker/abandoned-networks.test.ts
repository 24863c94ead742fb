/* Against a real engine, and the firewall of this host. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describeWith, requireDockerEngine } from '@sheaf/testkit';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { EngineAddress } from '../engine/address.ts';
import { EngineClient } from '../engine/client.ts';
import { metadataServices } from '../firewall/metadata.ts';
import { firewallRules, protectHost } from './firewall.ts';
import { claimedNetworks, claimNetworks } from './network-claims.ts';
import { ensureNetwork, runNetworks } from './networks.ts';
import { connectDockerRuntime } from './runtime.ts';

const run = promisify(execFile);
const never = new AbortController().signal;

describeWith('networks and firewall rules', [requireDockerEngine], () => {
  let address: EngineAddress;
  let engine: EngineClient;
  let count = 0;
  let prefix = '';
  beforeAll(async () => {
    address = { kind: 'socket', path: (await requireDockerEngine()).socketPath };
    engine = await EngineClient.connect(address, never);
  });
  afterAll(() => engine.close());
  beforeEach(() => {
    count += 1;
    prefix = `sheaf-abandoned-${process.pid}-${count}`;
  });

  const open = (networkPrefix = prefix) =>
    connectDockerRuntime({ address, worker: `abandoned-${process.pid}`, networkPrefix }, never);
  const networksOf = async (of = prefix) =>
    (await engine.listNetworks(['sheaf.network=true']))
      .map(({ Name }) => Name)
      .filter((name) => name.startsWith(`${of}_`))
      .toSorted();
  const rulesOf = async (of = prefix) => {
    const { stdout } = await run('iptables', ['-w', '-S']);
    // The engine has rules of its own in other chains.
    const ours = stdout.split('\n').filter((line) => /^-A (?:INPUT|DOCKER-USER) /.test(line));
    return ours.filter((line) => line.includes(`sh-${runNetworks(of).key}-`)).length;
  };
  /** One for each metadata service and one for the host, for each of two networks. */
  const rulesOfBoth = 2 * (metadataServices.length + 1);
  const both = () => [`${prefix}_ext`, `${prefix}_int`];
  /** As a worker that was killed leaves them. */
  const leaveBehind = async (of: string) => {
    const { outside, inside } = runNetworks(of);
    for (const network of [outside, inside]) {
      await ensureNetwork(engine, network);
      await protectHost(network);
    }
  };

  it('go with the worker', async () => {
    const runtime = await open();
    expect(await networksOf()).toEqual(both());
    expect(await rulesOf()).toBe(rulesOfBoth);

    await runtime.close();

    expect(await networksOf()).toEqual([]);
    expect(await rulesOf()).toBe(0);
  });

  it('stay while another worker of the prefix lives', async () => {
    const [first, second] = await Promise.all([open(), open()]);

    await first.close();
    expect(await networksOf()).toEqual(both());
    expect(await rulesOf()).toBeGreaterThanOrEqual(rulesOfBoth);

    await second.close();
    expect(await networksOf()).toEqual([]);
    expect(await rulesOf()).toBe(0);
  });

  it('of a worker that was killed go when the next one starts', async () => {
    const killed = `${prefix}-killed`;
    await leaveBehind(killed);
    // This one's networks were removed by hand: only rules are left.
    const ghost = runNetworks(`${prefix}-ghost`).outside;
    await protectHost(ghost);

    const runtime = await open();
    await runtime.close();

    expect(await networksOf(killed)).toEqual([]);
    expect(await rulesOf(killed)).toBe(0);
    expect(await rulesOf(`${prefix}-ghost`)).toBe(0);
  });

  it('of another live worker are left alone', async () => {
    const other = `${prefix}-other`;
    const claim = await claimNetworks(runNetworks(other).key);
    await leaveBehind(other);

    const runtime = await open();
    await runtime.close();
    expect(await networksOf(other)).toHaveLength(2);
    expect(await rulesOf(other)).toBe(rulesOfBoth);

    await claim?.release();
    const next = await open();
    await next.close();
    expect(await networksOf(other)).toEqual([]);
  });

  it('that may be of a worker in a container are left alone for an hour', async () => {
    const { outside } = runNetworks(`${prefix}-foreign`);
    const Labels = { 'sheaf.network': 'true', 'sheaf.scope': 'some other boot' };
    await engine.createNetwork({ Name: outside.name, Driver: 'bridge', Labels });

    const runtime = await open();
    await runtime.close();

    expect(await networksOf(`${prefix}-foreign`)).toHaveLength(1);
    await engine.removeNetwork(outside.name);
  });
});

it('a claim is seen by others, and ends', async () => {
  const claim = await claimNetworks('0123abcd');
  expect(await claimedNetworks()).toContain('0123abcd');

  await claim?.release();
  expect(await claimedNetworks()).not.toContain('0123abcd');
});

it('every rule names the bridge, so that it can be found again', () => {
  const { outside } = runNetworks('some-prefix');

  expect(firewallRules(outside).every((rule) => rule.match.includes(outside.bridge))).toBe(true);
});
