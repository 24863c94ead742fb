import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { runProcess } from '../processes.ts';
import { describeWith } from '../services/requirement.ts';
import type { Network } from './network.ts';
import { requireNetwork } from './require-network.ts';

describeWith('a network of hosts', [requireNetwork], () => {
  let network: Network;
  let server: Server;
  let port: string;
  beforeEach(async () => {
    network = await requireNetwork();
    server = createServer((socket) => socket.end(socket.remoteAddress?.replace('::ffff:', '') ?? ''));
    await new Promise<void>((resolve) => server.listen(0, network.address, resolve));
    port = String((server.address() as AddressInfo).port);
  });
  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
    network.close();
  });

  /** What a program on the host hears of the server; undefined within a second of silence. */
  async function ask(host: { words: readonly string[] }): Promise<string | undefined> {
    const [program = '', ...words] = host.words;
    const script = `require('net').connect(${port}, '${network.address}').on('error', () => {}).on('data', (text) => console.log(String(text))); setTimeout(() => process.exit(), 1000).unref()`;
    const told = await runProcess(program, [...words, process.execPath, '-e', script]);
    return told.trim() || undefined;
  }

  it('lets each reach the server from an address of its own', async () => {
    const [one, other] = [network.addHost('one'), network.addHost('other')];

    expect(await ask(one)).toBe(one.address);
    expect(await ask(other)).toBe(other.address);
    expect(one.address).not.toBe(other.address);
  });

  it('loses what a host sends that is cut off, until it is healed', async () => {
    const [cut, whole] = [network.addHost('cut'), network.addHost('whole')];
    cut.cut();

    expect(await ask(cut)).toBeUndefined();
    expect(await ask(whole)).toBe(whole.address);
    cut.heal();
    expect(await eventually('an answer', () => ask(cut))).toBe(cut.address);
  });

  it('leaves nothing behind, and the next one removes what a crash has left', async () => {
    const bridges = () =>
      spawnSync('ip', ['-o', 'link', 'show', 'type', 'bridge'], { encoding: 'utf8' }).stdout;
    const own = `shf${network.address.split('.')[1]}x${network.address.split('.')[2]}:`;
    expect(bridges()).toContain(own);
    network.close();
    expect(bridges()).not.toContain(own);

    // As a process leaves it that nobody could ask to clear up.
    const ip = (words: string) => spawnSync('ip', words.split(' '));
    ip('link add shf1xlost type bridge');
    spawnSync('ip', ['link', 'set', 'shf1xlost', 'alias', 'sheaf-test 4194304 1']);
    ip('netns add shf1xlost-1');
    expect(bridges()).toContain('shf1xlost:');
    network = await requireNetwork();

    expect(bridges()).not.toContain('shf1xlost:');
    expect(existsSync('/run/netns/shf1xlost-1')).toBe(false);
  });
});
