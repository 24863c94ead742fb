/* What the published end-to-end modules of the original check (execution.md §32), as far as no other test does; without their times. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { makeGroup, Person } from '../support/people.ts';
import { WorkerMachine } from '../support/worker-machine.ts';

let installation: Installation;
const cl = (...words: string[]) => installation.ok(...words);
beforeAll(async () => {
  installation = await Installation.start('sandbox');
});
afterAll(() => installation.stop());

async function ready(uuid: string): Promise<string> {
  expect((await installation.cl(['wait', uuid])).code).toBe(0);
  return uuid;
}

describe('run', () => {
  it('names with hyphens and dots can be given, and be used as keys', async () => {
    const parent = await ready(await cl('run', 'echo hello', '-n', 'a-run.with-dots'));
    expect(await cl('info', parent, '-f', 'name')).toBe('a-run.with-dots');

    const child = await ready(await cl('run', `some-key.txt:${parent}/stdout`, 'cat some-key.txt'));

    expect(await cl('cat', `${child}/stdout`)).toBe('hello');
  });

  it('one parent under several keys; each is read through the run after its end, too', async () => {
    const parent = await ready(await cl('run', 'echo hello'));

    const child = await ready(await cl('run', `one:${parent}`, `two:${parent}`, 'cat one/stdout two/stdout'));

    expect(await cl('cat', `${child}/stdout`)).toBe('hello\nhello');
    expect(await cl('cat', `${child}/one/stdout`)).toBe('hello');
    expect(await cl('cat', `${child}/two/stdout`)).toBe('hello');
    expect(await cl('cat', child)).not.toMatch(/\bone\b/);
  });
});

describe('run2', () => {
  it('the first of two runs that share a dependency takes nothing away from the second', async () => {
    const parent = await cl('upload', '-c', 'shared');
    const second = await cl('run', `p:${parent}`, 'until [ -e message ]; do sleep 0.05; done; cat p');
    await installation.inState(second, 'running');

    await ready(await cl('run', `p:${parent}`, 'cat p'));
    await cl('write', `${second}/message`, 'go');

    await ready(second);
    expect(await cl('cat', `${second}/stdout`)).toBe('shared');
  });

  it('keys may lie in the same directory, but not one in another', async () => {
    const parent = await ready(await cl('run', 'echo hello'));
    const uuid = await ready(
      await cl('run', `foo/bar:${parent}`, `foo/bar2:${parent}`, 'cat foo/bar/stdout foo/bar2/stdout'),
    );
    expect(await cl('cat', `${uuid}/stdout`)).toBe('hello\nhello');

    const refused = await installation.cl(['run', `foo:${parent}`, `foo/bar:${parent}`, 'true']);

    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('foo');
  });
});

describe('read', () => {
  let dependency: string;
  let uuid: string;
  beforeAll(async () => {
    dependency = await cl('upload', '-c', 'of the dependency');
    uuid = await cl(
      'run',
      `dep:${dependency}`,
      'mkdir sub; echo in > sub/file; ln -s sub link; echo out; sleep 600',
    );
    await installation.inState(uuid, 'running');
    await eventually('its output', async () =>
      (await installation.cl(['cat', `${uuid}/stdout`])).stdout === 'out\n' ? true : undefined,
    );
  });

  async function readsEverything(): Promise<void> {
    const listing = await cl('cat', uuid);
    for (const name of ['stdout', 'stderr', 'sub']) expect(listing).toContain(name);
    expect(listing).not.toMatch(/\bdep\b/);
    expect(await cl('cat', `${uuid}/stdout`)).toBe('out');
    expect(await cl('cat', `${uuid}/sub/file`)).toBe('in');
    expect(await cl('cat', `${uuid}/dep`)).toBe('of the dependency');
    expect(await cl('info', uuid, '-f', 'data_size')).toMatch(/^\d+$/);
    const missing = await installation.cl(['cat', `${uuid}/not-there`]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('not-there');

    const place = join(installation.home, `download-${Math.random()}`);
    await cl('download', uuid, '-o', place);
    expect(readFileSync(join(place, 'stdout'), 'utf8')).toBe('out\n');
    expect(readFileSync(join(place, 'sub', 'file'), 'utf8')).toBe('in\n');
    expect(() => readFileSync(join(place, 'dep'))).toThrow('ENOENT');
  }

  it('a run that runs: its listing, its files, its dependencies by name, and a download', () =>
    readsEverything());

  it('and all of it again after it was killed; waiting for it ends with 1', async () => {
    await cl('kill', uuid);

    expect((await installation.cl(['wait', uuid])).code).toBe(1);
    await readsEverything();
  });
});

describe('write', () => {
  it('puts a text into a file of a run that runs, and notes it down', async () => {
    const uuid = await cl('run', 'until [ -e message ]; do sleep 0.05; done; cat message');
    await installation.inState(uuid, 'running');

    await cl('write', `${uuid}/message`, 'hello world');

    await ready(uuid);
    expect(await cl('cat', `${uuid}/message`)).toBe('hello world');
    expect((await installation.bundle(uuid)).metadata['actions']).toEqual(['write\tmessage\thello world']);
  });

  it('refuses a name that is none', async () => {
    const uuid = await cl('run', 'sleep 600');
    await installation.inState(uuid, 'running');

    expect((await installation.cl(['write', `${uuid}/a b`, 'x'])).code).toBe(1);

    await cl('kill', uuid);
    await installation.finished(uuid);
  });
});

describe('workers', () => {
  const shown = async () => (await cl('workers')).split('\n').find((line) => line.includes('local')) ?? '';

  it('are a table of a line each; a run that asks for no core takes none, and one that does gives it back', async () => {
    expect((await cl('workers')).split('\n')).toHaveLength(3);
    const before = await shown();
    const idle = await cl('run', 'sleep 600', '--request-cpus', '0', '--request-gpus', '0');
    await installation.inState(idle, 'running');
    expect(/\b0\/\d+\b/.exec(await shown())?.[0]).toBe(/\b0\/\d+\b/.exec(before)?.[0]);
    await cl('kill', idle);
    await installation.finished(idle);

    const busy = await cl('run', 'sleep 600');
    await installation.inState(busy, 'running');
    expect(await shown()).toMatch(/\b1\/\d+\b/);
    await cl('kill', busy);
    await installation.finished(busy);
    await eventually('the core to be free', async () =>
      /\b0\/\d+\b/.test(await shown()) ? true : undefined,
    );
  });

  it('of a group are seen by its owner and its members, also those who come later, and by nobody else', async () => {
    const [owner, member, later, stranger] = (await Promise.all(
      ['owner', 'member', 'later', 'stranger'].map((name) => Person.join(installation, name)),
    )) as [Person, Person, Person, Person];
    await makeGroup(installation, 'circle', owner, [member]);
    const worker = await WorkerMachine.start(installation, {
      id: 'of-the-circle',
      credentials: owner.credentials,
      flags: ['--group', 'circle', '--tag', 'circle', '--tag-exclusive'],
    });
    try {
      const sees = async (person: Person) => (await person.ok('workers')).includes('of-the-circle');
      expect(await Promise.all([owner, member, later, stranger].map(sees))).toEqual([
        true,
        true,
        false,
        false,
      ]);

      const token = await installation.tokenOf(owner.credentials);
      const data = [{ type: 'users', id: later.id }];
      await installation.api('POST', '/groups/circle/relationships/members', { data }, token);

      expect(await Promise.all([owner, member, later, stranger].map(sees))).toEqual([
        true,
        true,
        true,
        false,
      ]);
    } finally {
      await worker.end();
    }
  });
});
