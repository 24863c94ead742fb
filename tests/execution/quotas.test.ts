/* Runs and the quotas of their owners: when they are killed, with which words, and what they cost in the end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { accountOf, Person, setQuota } from '../support/people.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

const more =
  'To apply for more quota, please visit the following link: https://codalab-worksheets.readthedocs.io/en/latest/FAQ/#how-do-i-request-more-disk-quota-or-time-quota';

let installation: Installation;
/** Has no worker. */
let guest: Person;
/** Has one, which takes only what is meant for it. */
let owner: Person;
let owned: WorkerMachine;
beforeAll(async () => {
  installation = await Installation.start('sandbox');
  guest = await Person.join(installation, 'guest');
  owner = await Person.join(installation, 'owner');
  owned = await WorkerMachine.start(installation, {
    id: 'owned',
    credentials: owner.credentials,
    flags: ['--tag', 'mine', '--tag-exclusive'],
  });
});
afterAll(async () => {
  await owned.end();
  await installation.stop();
});

const places = [
  { where: 'on a public worker', person: () => guest, flags: [] as string[] },
  { where: 'on a worker of one’s own', person: () => owner, flags: ['--request-queue', 'mine'] },
];

describe('disk', () => {
  const used = async (person: Person) => (await accountOf(installation, person.id)).disk_used;
  const leave = async (person: Person, bytes: number) =>
    setQuota(installation, person.id, { disk_quota: (await used(person)) + bytes });

  it.each(places)('$where, a run that goes on writing is killed', async ({ person, flags }) => {
    const before = await used(person());
    await leave(person(), 1000);

    const uuid = await person().ok('run', 'head -c 5000 /dev/zero > big; sleep 600', ...flags);
    const waited = await person().cl(['wait', uuid]);

    const bundle = await installation.finished(uuid);
    expect(waited.code).toBe(1);
    expect(bundle.state).toBe('killed');
    expect(bundle.metadata['failure_message']).toContain(`Kill requested: User disk quota exceeded. ${more}`);
    expect(await used(person())).toBe(before + Number(bundle.metadata['data_size'] ?? 0));
    await setQuota(installation, person().id, { disk_quota: 1e12 });
    await person().ok('rm', uuid);
    expect(await used(person())).toBe(before);
  });

  it.each(places)('$where, one that has ended fails with its upload', async ({ person, flags }) => {
    const before = await used(person());
    await leave(person(), 10);

    const uuid = await person().ok('run', 'head -c 1000 /dev/zero', ...flags);

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('failed');
    expect(bundle.metadata['failure_message']).toMatch(
      /^Error while uploading: Upload failed: .*disk quota exceeded/,
    );
    expect(bundle.metadata['data_size'] ?? 0).toBe(0);
    expect(await used(person())).toBe(before);
    await setQuota(installation, person().id, { disk_quota: 1e12 });
  });

  it('without any left, nothing new is begun', async () => {
    const now = await used(guest);
    await setQuota(installation, guest.id, { disk_quota: now });

    const refused = await guest.cl(['run', 'true']);

    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('Out of disk quota:');
    await setQuota(installation, guest.id, { disk_quota: 1e12 });
  });
});

describe('time', () => {
  const used = async (person: Person) => (await accountOf(installation, person.id)).time_used;

  it('on a public worker, a run is killed when it is used up, with these very words', async () => {
    await setQuota(installation, guest.id, { time_quota: (await used(guest)) + 2 });

    const uuid = await guest.ok('run', 'echo begun; sleep 600');

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('killed');
    expect(bundle.metadata['failure_message']).toBe(`Kill requested: User time quota exceeded. ${more}`);
    expect(await guest.ok('cat', `${uuid}/stdout`)).toBe('begun');
    expect(await used(guest)).toBeGreaterThanOrEqual(2);
    const refused = await guest.cl(['run', 'true']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('Out of time quota:');
  });

  it('on a worker of one’s own, it costs nothing', async () => {
    const before = await used(owner);
    await setQuota(installation, owner.id, { time_quota: before + 1 });

    const uuid = await owner.ok('run', 'sleep 2', '--request-queue', 'mine');

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('ready');
    expect(bundle.metadata['time']).toBeGreaterThan(1.5);
    expect(await used(owner)).toBe(before);
  });

  it('on a worker of one’s own, it ends the run when it is used up elsewhere', async () => {
    await setQuota(installation, owner.id, { time_quota: 1e9 });
    const uuid = await owner.ok('run', 'sleep 600', '--request-queue', 'mine');
    await installation.inState(uuid, 'running');

    await setQuota(installation, owner.id, { time_quota: 0 });

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('killed');
    expect(bundle.metadata['failure_message']).toBe(`Kill requested: User time quota exceeded. ${more}`);
  });
});
