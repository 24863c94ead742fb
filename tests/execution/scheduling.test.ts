/* Which worker gets which run, and what is said meanwhile: one server, workers of several owners, and `cl` as several users. */
import { cpus } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '@sheaf/testkit';
import { Installation } from '../support/installation.ts';
import { makeGroup, Person } from '../support/people.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

const cores = cpus().length;
const prefix = "No worker can meet your bundle's resource requirements.";

let installation: Installation;
let alice: Person;
let bob: Person;
let carol: Person;
const machines: WorkerMachine[] = [];

const start = async (id: string, owner: Person | undefined, ...flags: string[]) => {
  const credentials = owner === undefined ? {} : { credentials: owner.credentials };
  const machine = await WorkerMachine.start(installation, { id, flags, ...credentials });
  machines.push(machine);
  return machine;
};

beforeAll(async () => {
  installation = await Installation.start('sandbox');
  alice = await Person.join(installation, 'alice');
  bob = await Person.join(installation, 'bob');
  carol = await Person.join(installation, 'carol');
  await makeGroup(installation, 'lab', carol, [alice]);
  await start('alices', alice, '--max-memory', '3g');
  await start('pool', undefined, '--tag', 'pool', '--tag-exclusive');
  await start('labs', carol, '--tag', 'lab', '--tag-exclusive', '--group', 'lab', '--slots', '1');
});
afterAll(async () => {
  await Promise.all(machines.map((machine) => machine.end()));
  await installation.stop();
});

interface Events {
  data: { attributes: { at: string; kind: string; details: { worker?: string } } }[];
}

/** The id of the worker that a run was given to, and when. */
async function assignment(uuid: string): Promise<{ worker: string; at: string }> {
  return await eventually(`${uuid} is given to a worker`, async () => {
    const { data } = await installation.api<Events>('GET', `/bundles/${uuid}/events`);
    const found = data.find(({ attributes }) => attributes.kind === 'assigned')?.attributes;
    const worker = found?.details.worker?.split('\n').at(-1);
    return found === undefined || worker === undefined ? undefined : { worker, at: found.at };
  });
}

/** Waits until a bundle says something of itself. */
const says = (uuid: string, text: string) =>
  eventually(
    text,
    async () => {
      const { state_details: details } = await installation.bundle(uuid);
      return details?.includes(text) === true ? details : undefined;
    },
    20_000,
  );

/** A command that goes on, with what it has said so far. */
function listen(person: Person, ...words: string[]) {
  let heard = '';
  const finished = person.cl(words, {
    onStart: ({ stderr }) => stderr?.on('data', (chunk: Buffer | string) => (heard += String(chunk))),
  });
  return { finished, stderr: () => heard };
}

describe('cl workers', () => {
  const ids = async (person: Person) =>
    (await person.ok('workers'))
      .split('\n')
      .slice(2)
      .map((line) => line.split(/\s+/)[0]);

  it('shows everybody the own ones and those of their groups, and the administrator all', async () => {
    expect(await ids(alice)).toEqual(['alices', 'labs']);
    expect(await ids(bob)).toEqual([]);
    expect(await ids(carol)).toEqual(['labs']);
    const all = (await installation.ok('workers', '-v')).split('\n');
    const rows = all.slice(2, 6).map((line) => line.trim().split(/\s{2,}|\s(?=\d)/));
    expect(rows.map(([id]) => id)).toEqual(['alices', 'labs', 'local', 'pool']);
    expect(all[0]?.trim().split(/\s+/)).toEqual(
      (
        'worker_id cpus gpus memory free_disk last_checkin group tag runs shared_file_system tag_exclusive ' +
        'exit_after_num_runs is_terminating runtime'
      ).split(' '),
    );
    expect(all[2]).toMatch(new RegExp(`^alices +0/${cores} +0/0 +3g `));
    expect(all.slice(6).find((line) => line.startsWith('labs:'))).toContain('; at most 1 run at once');
  });
});

describe('a run goes', () => {
  it('to a worker of its owner first, and only what fits nowhere there to everybody’s', async () => {
    const own = await alice.ok('run', 'true');
    const large = await alice.ok('run', 'true', '--request-memory', '3.5g');
    const bobs = await bob.ok('run', 'true');

    expect((await assignment(own)).worker).toBe('alices');
    expect((await assignment(large)).worker).toBe('local');
    expect((await assignment(bobs)).worker).toBe('local');
    for (const uuid of [own, large, bobs]) expect((await installation.finished(uuid)).state).toBe('ready');
  });

  it.each(['pool', 'tag=pool'])('to the queue it names: %s', async (queue) => {
    const uuid = await bob.ok('run', 'true', '--request-queue', queue);

    expect((await assignment(uuid)).worker).toBe('pool');
    expect((await installation.finished(uuid)).state).toBe('ready');
  });

  it('to a worker of the group only for its members, and only where its owner may control the run', async () => {
    const bobs = await bob.ok('run', 'true', '--request-queue', 'lab');
    const alices = await alice.ok('run', 'true', '--request-queue', 'lab');

    await says(bobs, 'No worker serves the queue');
    await says(alices, 'belong to users who may not control this run');
    const { data } = await installation.api<{ data: { id: string; attributes: { name: string } }[] }>(
      'GET',
      '/groups',
      undefined,
      await installation.tokenOf(alice.credentials),
    );
    const lab = data.find(({ attributes }) => attributes.name === 'lab')?.id ?? '';
    const permission = {
      type: 'bundle-permissions',
      attributes: { permission: 2 },
      relationships: {
        bundle: { data: { type: 'bundles', id: alices } },
        group: { data: { type: 'groups', id: lab } },
      },
    };
    await installation.api(
      'POST',
      '/bundle-permissions',
      { data: [permission] },
      await installation.tokenOf(alice.credentials),
    );
    expect((await assignment(alices)).worker).toBe('labs');
    await bob.ok('kill', bobs);
  });

  it('to no worker whose slots are taken, until one is free', async () => {
    const first = await carol.ok('run', 'sleep 600', '--request-queue', 'lab');
    await installation.inState(first, 'running');
    const second = await carol.ok('run', 'true', '--request-queue', 'lab');

    const text = await says(second, 'Available resources: ');
    expect(text).toContain(`${prefix} Available resources: `);
    expect(text).toContain('[0 slots (1 requested)]');
    expect(text).toContain('The run starts when runs that are under way there have ended.');
    await carol.ok('kill', first);
    expect((await assignment(second)).worker).toBe('labs');
    expect((await installation.finished(second)).state).toBe('ready');
  });

  it('to no worker that has begun as many as it was told to', async () => {
    const once = await start('once', carol, '--tag', 'once', '--tag-exclusive', '--exit-after-num-runs', '1');
    const uuids: string[] = [];
    for (let number = 0; number < 2; number += 1) {
      uuids.push(await carol.ok('run', 'true', '--request-queue', 'once'));
    }

    expect((await installation.finished(uuids[0] ?? '')).state).toBe('ready');
    await eventually('the worker ends', () => once.process?.exitCode ?? undefined, 30_000);
    await says(uuids[1] ?? '', 'No worker serves the queue');
    await carol.ok('kill', uuids[1] ?? '');
  });

  it('in turns with those of others, whatever somebody has piled up', async () => {
    const all = ['--request-queue', 'pool', '--request-cpus', String(cores)];
    const blocker = await alice.ok('run', 'sleep 600', ...all);
    await installation.inState(blocker, 'running');
    const crowd: string[] = [];
    for (let number = 0; number < 5; number += 1) crowd.push(await alice.ok('run', 'true', ...all));
    const urgent = await alice.ok('run', 'true', ...all, '--request-priority', '7');
    const single = await bob.ok('run', 'true', ...all);
    await says(crowd[4] ?? '', 'after runs of yours with a higher priority');

    await alice.ok('kill', blocker);
    const uuids = [...crowd, urgent, single];
    for (const uuid of uuids) expect((await installation.finished(uuid)).state).toBe('ready');
    const times = await Promise.all(uuids.map(async (uuid) => ({ uuid, at: (await assignment(uuid)).at })));
    const order = times.toSorted((one, other) => (one.at < other.at ? -1 : 1)).map(({ uuid }) => uuid);
    expect(order.indexOf(single)).toBeLessThanOrEqual(1);
    expect(order.filter((uuid) => uuid !== single)).toEqual([urgent, ...crowd]);
  });
});

describe('what is asked for', () => {
  it('can leave out the network', async () => {
    const words = ['cat /proc/net/dev', '--request-queue', 'pool'];
    const off = await bob.ok('run', ...words, '--no-request-network');

    expect((await installation.finished(off)).state).toBe('ready');
    const names = [...(await bob.ok('cat', `${off}/stdout`)).matchAll(/^ *([\w.-]+):/gm)].map(
      ([, name]) => name,
    );
    expect(names).toEqual(['lo']);
    expect(await bob.ok('info', off, '-f', 'request_network')).toBe('False');
  });

  it('can be more shared memory than workers give by themselves', async () => {
    const size = "df -B1 /dev/shm | awk 'END { print $2 }'";
    const own = await bob.ok('run', size, '--request-shared-memory', '96m');
    const usual = await bob.ok('run', size);

    expect((await installation.finished(own)).state).toBe('ready');
    expect(await bob.ok('cat', `${own}/stdout`)).toBe(String(96 * 1024 ** 2));
    expect((await installation.finished(usual)).state).toBe('ready');
    expect(await bob.ok('cat', `${usual}/stdout`)).toBe(String(1024 ** 3));
  });

  it.each([
    [['--request-cpus', '-1'], 'request_cpus should be 0 or more, not -1'],
    [['--request-gpus', '-1'], 'request_gpus should be 0 or more, not -1'],
    [['--request-cpus', 'two'], 'request-cpus'],
    [['--request-memory', '2gb'], 'Invalid size: 2gb, expected <number>[<k|m|g|t>]'],
    [['--request-memory=-2g'], 'Invalid size: -2g, expected <number>[<k|m|g|t>]'],
    [['--request-disk', '10.5'], 'Invalid size: 10.5, expected <number>[<k|m|g|t>]'],
    [['--request-shared-memory', 'x'], 'Invalid size: x, expected <number>[<k|m|g|t>]'],
    [['--request-time', '1d2h'], 'Invalid duration: 1d2h, expected <number>[<s|m|h|d|y>]'],
    [['--request-network', '--no-request-network'], 'exclude each other'],
  ])('is refused where it makes no sense: %j', async (words, text) => {
    const { code, stdout, stderr } = await bob.cl(['run', 'true', ...words]);
    expect(code).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(text);
  });

  it('is as good as nothing where it is 0 or empty', async () => {
    const words =
      '--request-cpus=0 --request-memory=0 --request-time= --request-disk=0 --request-gpus=0 --request-shared-memory=0';
    const uuid = await bob.ok('run', 'true', ...words.split(' '));
    expect((await installation.finished(uuid)).state).toBe('ready');
  });
});

describe('a run that waits', () => {
  it('says why in every command, with figures, and what would let it start', async () => {
    const words = ['true', '-n', 'huge', '--request-cpus', '1000000', '--request-memory', '800t'];
    const uuid = await bob.ok('run', ...words);
    const text = await says(uuid, 'the most that any has is');

    expect(text).toContain(`${cores} CPUs (1000000 requested)`);
    expect(text).toContain('memory (800t requested)]');
    expect(text).toMatch(/No worker is large enough: the most that any has is \d+ CPUs, \S+ memory\. Ask/);
    expect(await bob.ok('info', uuid)).toMatch(/^staged_status +: No worker can meet/m);

    const wait = listen(bob, 'wait', uuid);
    const tail = listen(bob, 'run', ...words, '--tail');
    await eventually('cl wait says why', () => wait.stderr().includes(`staged: ${prefix}`) || undefined);
    await eventually('cl run says why', () => tail.stderr().includes(`staged: ${prefix}`) || undefined);
    const listed = await eventually(
      'cl ls says why',
      async () => {
        const { stdout, stderr } = await bob.cl(['ls']);
        return stderr.includes('huge(0x') ? { stdout, stderr } : undefined;
      },
      20_000,
    );
    expect(listed.stderr).toContain(`huge(${uuid.slice(0, 8)}) staged: ${prefix}`);
    expect(listed.stdout).not.toContain(prefix);
    await bob.ok('kill', uuid, 'huge');
    expect((await wait.finished).code).toBe(1);
    await tail.finished;
  });

  it('names the runs it needs, as they go on', async () => {
    const parent = await bob.ok('run', 'sleep 600', '-n', 'slow');
    const child = await bob.ok('run', `slow:${parent}`, 'true');
    await installation.inState(parent, 'running');

    const text = `Waiting for slow(${parent.slice(0, 8)}) (running).`;
    expect((await installation.bundle(child)).state_details).toBe(text);
    expect(await bob.ok('info', child)).toContain(`state_details             : ${text}`);
    await bob.ok('kill', parent);
    const { metadata } = await installation.finished(child);
    expect(metadata['failure_message']).toContain('Parent bundles were killed: slow');
  });
});
