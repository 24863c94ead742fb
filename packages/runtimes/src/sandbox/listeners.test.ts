import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { listenerInside, parseListeners, reachableListener } from './listeners.ts';

const four = [
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
  '   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0000000000000000 100 0 0 10 0',
  '   1: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1 0000000000000000 100 0 0 10 0',
  '   2: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0000000000000000 100 0 0 10 0',
].join('\n');
const six =
  '   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 104 1 0000000000000000 100 0 0 10 0';

describe('listeners', () => {
  const listeners = [...parseListeners(four, 4), ...parseListeners(six, 6)];

  it('are read from the tables of the kernel, connections left out', () => {
    expect(listeners.map(({ port, inode }) => [port, inode])).toEqual([
      [8080, '101'],
      [22, '102'],
      [8081, '104'],
    ]);
  });

  it.each([
    ['any address', 8080, { host: '127.0.0.1', port: 8080 }],
    ['one address', 22, { host: '127.0.0.1', port: 22 }],
    ['one of the sixth version', 8081, { host: '0:0:0:0:0:0:0:1', port: 8081 }],
    ['nothing', 80, undefined],
  ])('of the run are reached where they are: at %s', (_, port, expected) => {
    expect(reachableListener(listeners, new Set(['101', '102', '104']), port)).toEqual(expected);
  });

  it('of somebody else are not reached, and no port that two share', () => {
    const owned = new Set(['101', '105']);
    const shared = [...listeners, { family: 4 as const, address: '0100007F', port: 9, inode: '105' }];
    shared.push({ family: 6, address: '0'.repeat(32), port: 9, inode: '106' });

    expect(reachableListener(shared, owned, 8080)).toBeDefined();
    expect(reachableListener(shared, owned, 22)).toBeUndefined();
    expect(reachableListener(shared, owned, 9)).toBeUndefined();
  });

  it('of this host are not those of a process elsewhere', async () => {
    const here = createServer();
    await new Promise<void>((resolve) => here.listen(0, '127.0.0.1', resolve));
    const { port } = here.address() as AddressInfo;
    const inside = spawn('unshare', ['--pid', '--fork', '--kill-child', 'sleep', '1000']);
    await once(inside, 'spawn');
    try {
      // This process owns it; one with a process space of its own does not.
      expect(await listenerInside(process.pid, port)).toEqual({ host: '127.0.0.1', port });
      const child = await childOf(inside.pid ?? 0);
      expect(await listenerInside(child, port)).toBeUndefined();
    } finally {
      inside.kill('SIGKILL');
      here.close();
    }
  });
});

async function childOf(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  for (;;) {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    if (children.trim() !== '') return Number(children.trim().split(' ')[0]);
  }
}
