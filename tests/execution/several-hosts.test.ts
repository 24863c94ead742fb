/* One server and workers on several hosts: who executes what, why the rest waits, and what a host without network costs. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  describeWith,
  eventually,
  pythonImage,
  requireDockerEngine,
  requireNetwork,
  requireRegistry,
  type Host,
  type Network,
} from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { makeGroup, Person } from '../support/people.ts';
import { WorkerMachine, type WorkerOptions } from '../support/worker-machine.ts';

/** Seconds. */
const workerTimeout = 5;

describeWith('workers on several hosts', [requireNetwork], () => {
  let network: Network;
  let installation: Installation;
  const machines = new Map<string, { worker: WorkerMachine; host: Host }>();
  let alice: Person;
  let bob: Person;
  let carol: Person;
  let dave: Person;

  beforeAll(async () => {
    network = await requireNetwork();
    installation = new Installation('sandbox', {
      SHEAF_HOST: network.address,
      SHEAF_WORKER_TIMEOUT_SECONDS: String(workerTimeout),
    });
    await installation.startServer();
    [alice, bob, carol, dave] = (await Promise.all(
      ['alice', 'bob', 'carol', 'dave'].map((name) => Person.join(installation, name)),
    )) as [Person, Person, Person, Person];
    await makeGroup(installation, 'lab', carol, [bob]);
    await Promise.all([
      addWorker('public', { flags: ['--slots', '1'] }),
      addWorker('alices', { flags: ['--tag', 'fast'], credentials: alice.credentials }),
      addWorker('labs', {
        flags: ['--group', 'lab', '--tag', 'queue-of-lab', '--tag-exclusive', '--slots', '2'],
        credentials: carol.credentials,
      }),
    ]);
  });
  afterEach(() => {
    for (const { host } of machines.values()) host.heal();
  });
  afterAll(async () => {
    await Promise.all([...machines.values()].map(({ worker }) => worker.end()));
    await installation.stop();
    network.close();
  });

  async function addWorker(id: string, options: Omit<WorkerOptions, 'id' | 'host'>): Promise<WorkerMachine> {
    const host = network.addHost(id);
    const worker = await WorkerMachine.start(installation, { ...options, id, host });
    machines.set(id, { worker, host });
    return worker;
  }

  function at(id: string): { worker: WorkerMachine; host: Host } {
    const found = machines.get(id);
    if (found === undefined) throw new Error(`There is no worker ${id}`);
    return found;
  }

  const waitForFile = 'until [ -e go ]; do sleep 0.05; done';
  const go = (id: string, uuid: string, text = '') =>
    writeFileSync(join(at(id).worker.runDirectory(uuid), 'go'), text);
  const waits = (uuid: string, words: RegExp) =>
    eventually(`${uuid} waiting because of ${String(words)}`, async () => {
      const { state, metadata } = await installation.bundle(uuid);
      return state === 'staged' && words.test(String(metadata['staged_status'])) ? true : undefined;
    });
  const executedBy = async (uuid: string) => (await installation.finished(uuid)).metadata['remote'];

  describe('who executes what', () => {
    it('everybody sees their own workers and those of their groups', async () => {
      expect(await alice.ok('workers')).toContain('alices');
      expect(await alice.ok('workers')).not.toContain('labs');
      expect(await bob.ok('workers')).toContain('labs');
      expect(await dave.ok('workers')).not.toContain('alices');
      expect(await installation.ok('workers')).toMatch(/alices[^]*labs[^]*public/);
    });

    it('a worker of one’s own comes before one for everybody', async () => {
      expect(await executedBy(await alice.ok('run', 'true'))).toBe('alices');
    });

    it('one for everybody serves those who have none', async () => {
      expect(await executedBy(await dave.ok('run', 'true'))).toBe('public');
    });

    it('the administrator’s runs do not go to the workers of others', async () => {
      expect(await executedBy(await installation.ok('run', 'true'))).toBe('public');
    });

    it('a run without a queue stays away from a worker that is there for a queue only', async () => {
      expect(await executedBy(await carol.ok('run', 'true'))).toBe('public');
      expect(await executedBy(await carol.ok('run', 'true', '--request-queue', 'tag=queue-of-lab'))).toBe(
        'labs',
      );
    });

    it('a group shares its worker with its members, as far as they let its owner see their runs', async () => {
      const uuid = await bob.ok('run', 'true', '--request-queue', 'queue-of-lab');
      await waits(uuid, /^No worker can meet .*grant their owner the permission/);

      await installation.api('POST', '/bundle-permissions', {
        data: [
          {
            type: 'bundle-permissions',
            attributes: { permission: 2 },
            relationships: {
              group: { data: { type: 'groups', id: await groupId('lab') } },
              bundle: { data: { type: 'bundles', id: uuid } },
            },
          },
        ],
      });

      expect(await executedBy(uuid)).toBe('labs');
    });

    async function groupId(name: string): Promise<string> {
      return (await installation.api<{ data: { id: string } }>('GET', `/groups/${name}`)).data.id;
    }
  });

  describe('why a run waits', () => {
    let waiting: string[] = [];
    afterEach(async () => {
      await Promise.all(waiting.map((uuid) => installation.cl(['kill', uuid])));
      await Promise.all(waiting.map((uuid) => installation.finished(uuid)));
      waiting = [];
    });
    const runAs = async (person: Person, ...words: string[]) => {
      const uuid = await person.ok('run', ...words);
      waiting.push(uuid);
      return uuid;
    };

    it('no worker that may take it serves its queue', async () => {
      const uuid = await runAs(dave, 'true', '--request-queue', 'queue-of-lab');
      await waits(uuid, /^No worker can meet .*Available resources: \[No queue \(queue-of-lab requested\)/);
    });

    it('no machine has what it asks for', async () => {
      await waits(await runAs(alice, 'true', '--request-gpus', '1'), /\[.*0 GPUs \(1 requested\).*\]/);
      await waits(await runAs(alice, 'true', '--request-memory', '900g'), /memory \(900g requested\)/);
      await waits(await runAs(alice, 'true', '--request-cpus', '500'), /CPUs \(500 requested\)/);
    });

    it('all slots are taken, until one is free', async () => {
      const first = await runAs(dave, waitForFile);
      await installation.inState(first, 'running');
      const second = await runAs(dave, 'true');
      await waits(second, /0 slots \(1 requested\).*starts when runs that are under way there have ended/);

      go('public', first);

      expect((await installation.finished(second)).state).toBe('ready');
      expect((await installation.finished(first)).state).toBe('ready');
    });
  });

  describe('a host without network', () => {
    it('for less than the worker timeout: nobody notices', async () => {
      const uuid = await alice.ok('run', `${waitForFile}; echo through`);
      await installation.inState(uuid, 'running');

      at('alices').host.cut();
      go('alices', uuid);
      await sleep((workerTimeout * 1000) / 3);
      expect((await installation.bundle(uuid)).state).toBe('running');
      at('alices').host.heal();

      expect((await installation.finished(uuid)).state).toBe('ready');
      expect(await alice.ok('cat', `${uuid}/stdout`)).toBe('through');
      expect(installation.log('server')).not.toContain('a worker has gone silent');
    });

    it('for more than the timeout while a run runs: it is offline, then goes on and ends once', async () => {
      const uuid = await alice.ok('run', `echo begun >> log; ${waitForFile}; echo through`);
      await installation.inState(uuid, 'running');

      at('alices').host.cut();
      const offline = await installation.inState(uuid, 'worker_offline');
      expect(offline.metadata['run_status']).toContain('alices');
      expect(await alice.ok('workers')).not.toContain('alices');
      at('alices').host.heal();
      await installation.inState(uuid, 'running');
      go('alices', uuid);

      const bundle = await installation.finished(uuid);
      expect(bundle.state).toBe('ready');
      expect(bundle.metadata['remote_history']).toHaveLength(1);
      expect(await alice.ok('cat', `${uuid}/log`)).toBe('begun');
    });

    it('for more than the timeout while results are sent: they arrive when it is back', async () => {
      const uuid = await alice.ok(
        'run',
        `${waitForFile}; head -c 30000000 /dev/zero > large; echo all of it`,
      );
      await installation.inState(uuid, 'running');

      at('alices').host.cut();
      go('alices', uuid);
      await installation.inState(uuid, 'worker_offline');
      await eventually('results on their way', () =>
        existsSync(join(at('alices').worker.runDirectory(uuid), 'large')) ? true : undefined,
      );
      at('alices').host.heal();

      const bundle = await installation.finished(uuid);
      expect(bundle.state).toBe('ready');
      expect(bundle.metadata['failure_message']).toBeUndefined();
      expect(bundle.metadata['data_size']).toBe(30_000_000 + 'all of it\n'.length);
      expect(await alice.ok('cat', `${uuid}/stdout`)).toBe('all of it');
    });

    it('kill of a run whose host is away counts at once, and the host hears of it when it is back', async () => {
      const uuid = await alice.ok('run', 'sleep 600');
      await installation.inState(uuid, 'running');
      const { worker, host } = at('alices');

      host.cut();
      await installation.inState(uuid, 'worker_offline');
      await alice.ok('kill', uuid);
      expect((await installation.finished(uuid)).state).toBe('killed');
      expect(existsSync(worker.runDirectory(uuid))).toBe(true);
      host.heal();

      await eventually('the worker to drop the run', () =>
        existsSync(worker.runDirectory(uuid)) ? undefined : true,
      );
      expect((await installation.bundle(uuid)).state).toBe('killed');
    });

    it('that may be taken away: the run goes to another, and what the first one did does not count', async () => {
      const flags = ['--preemptible', '--tag', 'spot', '--tag-exclusive'];
      await addWorker('spot-1', { flags });
      const uuid = await dave.ok('run', `${waitForFile}; cat go`, '--request-queue', 'spot');
      await installation.inState(uuid, 'running');
      await addWorker('spot-2', { flags });

      at('spot-1').host.cut();
      await eventually('the other worker to run it', async () => {
        const { state, metadata } = await installation.bundle(uuid);
        return state === 'running' && metadata['remote'] === 'spot-2' ? true : undefined;
      });
      // The first one ends its attempt while nobody hears it, and offers its results later.
      go('spot-1', uuid, 'of the first');
      at('spot-1').host.heal();
      await eventually('the first worker to drop the run', () =>
        existsSync(at('spot-1').worker.runDirectory(uuid)) ? undefined : true,
      );
      expect((await installation.bundle(uuid)).state).toBe('running');
      go('spot-2', uuid, 'of the second');

      const bundle = await installation.finished(uuid);
      expect(bundle.state).toBe('ready');
      expect(await dave.ok('cat', `${uuid}/stdout`)).toBe('of the second');
      expect(bundle.metadata['remote_history']).toHaveLength(2);
      expect(bundle.metadata['on_preemptible_worker']).toBe(true);
    });
  });

  describeWith('with Docker', [requireDockerEngine, requireRegistry], () => {
    it('a container that ends while its host is cut off is collected when it is back', async () => {
      const registry = await requireRegistry();
      try {
        const image = await pythonImage(registry);
        await addWorker('containers', { flags: ['--tag', 'containers'], runtime: 'docker' });
        const { host, worker } = at('containers');
        const uuid = await dave.ok(
          'run',
          `${waitForFile}; echo done`,
          '--request-docker-image',
          image,
          '--request-queue',
          'containers',
        );
        await installation.inState(uuid, 'running');

        host.cut();
        go('containers', uuid);
        await installation.inState(uuid, 'worker_offline');
        host.heal();

        expect((await installation.finished(uuid)).state).toBe('ready');
        expect(await dave.ok('cat', `${uuid}/stdout`)).toBe('done');
        expect(worker.log).not.toContain('"level":50');
      } finally {
        await registry.stop();
      }
    });
  });
});
