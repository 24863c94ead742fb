/* What a worker does with the hint that a run may come: a real worker against a protocol server. */
import { ScriptedRuntime } from '@sheaf/runtimes/testing';
import type { PreparedImage } from '@sheaf/runtimes';
import { eventually } from '@sheaf/testkit';
import type { Entry } from '@sheaf/trees';
import type { PrefetchMessage } from '@sheaf/wire';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aRun, runMessageFor } from '../testing/run-message.ts';
import { changedRuntime, WorkerBench } from '../testing/worker-bench.ts';

let bench: WorkerBench;
beforeEach(async () => {
  bench = await WorkerBench.open();
});
afterEach(() => bench.close());

const waiting = `0x${'d'.repeat(32)}`;
const uuidOf = (letter: string) => `0x${letter.repeat(32)}`;

function hint(
  dependencies: Readonly<Record<string, Entry | null>>,
  more: Partial<PrefetchMessage> = {},
): PrefetchMessage {
  return {
    type: 'prefetch',
    uuid: waiting,
    docker_image: 'image:1',
    image_requested: true,
    dependencies: Object.entries(dependencies).map(([parent_uuid, entry]) => ({
      parent_uuid,
      parent_path: '',
      entry,
    })),
    ...more,
  };
}

function runFor(uuid: string, dependencies: Readonly<Record<string, Entry>>) {
  return runMessageFor({
    uuid,
    dependencies: Object.entries(dependencies).map(([parent_uuid, entry]) => ({
      parent_uuid,
      child_path: `key-${parent_uuid.slice(-1)}`,
      entry,
    })),
  });
}

const cached = (): string[] => {
  const names = readdirSync(join(bench.workDirectory, 'cache', 'entries'));
  return names.filter((name) => /\.(file|program|tree)$/.test(name));
};
const inCache = (entry: Entry): true | undefined =>
  cached().some((name) => entry.kind !== 'link' && name.startsWith(entry.digest)) || undefined;
const fetches = (): number =>
  bench.server.requests.filter((one) => /transfer\/(fetch|blobs)/.test(one)).length;

/** Holds up the answers about one bundle until it is told to go on. */
function holdUp(bundle: string) {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const asked: string[] = [];
  let broken = 0;
  bench.server.intercept = async (path, _, response) => {
    const [, uuid = ''] = /bundles\/(0x\w+)\/transfer\/fetch/.exec(path) ?? [];
    if (uuid !== '') asked.push(uuid);
    if (uuid !== bundle) return false;
    response.once('close', () => {
      if (!response.writableFinished) broken += 1;
    });
    await held;
    return response.destroyed;
  };
  return { release, asked, broken: () => broken };
}

it('fetches image and dependencies; the run that comes downloads nothing', async () => {
  const prepared: string[] = [];
  const scripted = new ScriptedRuntime(bench.machine);
  const primary = changedRuntime(scripted, {
    prepareImage: (reference, options) => {
      prepared.push(reference);
      return scripted.prepareImage(reference, options);
    },
  });
  const file = await bench.server.keepFile(uuidOf('b'), 'text');
  const tree = await bench.server.keepDirectory(uuidOf('c'), { a: 'a', b: 'b' });
  await bench.start({}, { primary, fallback: undefined });

  bench.server.send(hint({ [uuidOf('b')]: file, [uuidOf('c')]: null }));
  await eventually('both', () => inCache(file) && inCache(tree));
  expect(prepared).toEqual(['image:1']);
  const before = fetches();
  bench.server.assign(runFor(waiting, { [uuidOf('b')]: file, [uuidOf('c')]: tree }));

  expect((await bench.finished(waiting)).exitcode).toBe(0);
  expect(fetches()).toBe(before);
});

it('tells the server what is here', async () => {
  const file = await bench.server.keepFile(uuidOf('b'), 'text');
  await bench.start();

  bench.server.send(hint({ [uuidOf('b')]: file }));

  await eventually('check-in that lists it', () => {
    // A run that comes and goes makes the worker check in.
    if (inCache(file) && !bench.server.grants.has(aRun)) bench.server.assign(runMessageFor());
    const listed = JSON.stringify(bench.server.checkins.at(-1)?.dependencies);
    return listed.includes(uuidOf('b')) || undefined;
  });
});

it('gives way to a run that waits for its own download, and goes on afterwards', async () => {
  const ahead = await bench.server.keepFile(uuidOf('b'), 'for later');
  const wanted = await bench.server.keepFile(uuidOf('c'), 'for now');
  await bench.start();
  const held = holdUp(uuidOf('b'));
  bench.server.send(hint({ [uuidOf('b')]: ahead }));
  await eventually('download ahead', () => held.asked.includes(uuidOf('b')) || undefined);

  bench.server.assign(runFor(aRun, { [uuidOf('c')]: wanted }));
  expect((await bench.finished(aRun)).exitcode).toBe(0);
  await eventually('pause', () => held.broken() > 0 || undefined);
  held.release();

  await eventually('the rest', () => inCache(ahead));
  expect(held.asked.filter((uuid) => uuid === uuidOf('b')).length).toBeGreaterThan(1);
});

it('shares what it is fetching with the run that comes for it', async () => {
  const file = await bench.server.keepFile(uuidOf('b'), 'text');
  await bench.start();
  const held = holdUp(uuidOf('b'));
  bench.server.send(hint({ [uuidOf('b')]: file }));
  await eventually('download ahead', () => held.asked.length > 0 || undefined);

  bench.server.assign(runFor(waiting, { [uuidOf('b')]: file }));
  await bench.reported(waiting, 'preparing');
  held.release();

  expect((await bench.finished(waiting)).exitcode).toBe(0);
  expect(held.asked).toEqual([uuidOf('b')]);
  expect(held.broken()).toBe(0);
});

it('goes back to the queue of no run: what fails is logged, and the next hint is followed', async () => {
  const file = await bench.server.keepFile(uuidOf('c'), 'text');
  await bench.start();

  bench.server.send(hint({ [uuidOf('b')]: null }));
  bench.server.send(hint({ [uuidOf('c')]: file }, { uuid: uuidOf('e') }));

  await eventually('the second', () => inCache(file));
  expect(bench.logged).toContain('cannot be fetched ahead');
});

it('ends with the worker', async () => {
  const file = await bench.server.keepFile(uuidOf('b'), 'text');
  await bench.start();
  const held = holdUp(uuidOf('b'));
  bench.server.send(hint({ [uuidOf('b')]: file }));
  await eventually('download ahead', () => held.asked.length > 0 || undefined);

  await bench.stopWorker();

  expect(cached()).toEqual([]);
  held.release();
});

describe('a cache that is nearly full', () => {
  const size = 1000;
  const keep = (letter: string) => bench.server.keepFile(uuidOf(letter), letter.repeat(size));

  it('never loses what an earlier waiting run will need, nor what a run uses', async () => {
    const [b, c, e] = [await keep('b'), await keep('c'), await keep('e')];
    await bench.start({ cacheLimit: 2.5 * size });
    bench.server.assign(runFor(aRun, { [uuidOf('b')]: b }));
    bench.server.finalizes = false;
    await bench.reported(aRun, 'finalizing');

    bench.server.send(hint({ [uuidOf('c')]: c }, { uuid: uuidOf('1') }));
    await eventually('the first', () => inCache(c));
    bench.server.send(hint({ [uuidOf('e')]: e }, { uuid: uuidOf('2') }));
    const last = await bench.server.keepFile(uuidOf('f'), 'small');
    bench.server.send(hint({ [uuidOf('f')]: last }, { uuid: uuidOf('3') }));
    await eventually('the last', () => inCache(last));

    expect([b, c, e].map(inCache)).toEqual([true, true, undefined]);
    bench.server.finalizes = true;
  });

  it('lets go of what nobody asks for', async () => {
    const [b, c] = [await keep('b'), await keep('c')];
    await bench.start({ cacheLimit: 1.5 * size });
    bench.server.assign(runFor(aRun, { [uuidOf('b')]: b }));
    await bench.finished(aRun);

    bench.server.send(hint({ [uuidOf('c')]: c }));

    await eventually('the new one alone', () => (inCache(c) && !inCache(b)) || undefined);
  });
});

describe('an image', () => {
  it('pauses while a run waits for another one', async () => {
    const calls: string[] = [];
    let releaseRun: () => void = () => undefined;
    const primary = changedRuntime(new ScriptedRuntime(bench.machine), {
      prepareImage: (reference, options) => {
        const { signal } = options;
        calls.push(reference);
        options.onProgress('Downloading 1m/2m (50% done)');
        const image: PreparedImage = { id: reference, digest: null, size: 1 };
        if (reference === 'ahead:1' && calls.length > 2) return Promise.resolve(image);
        return new Promise((resolve, reject) => {
          if (reference !== 'ahead:1') releaseRun = () => resolve(image);
          signal.addEventListener('abort', () => {
            calls.push(`${reference} paused`);
            reject(signal.reason as Error);
          });
        });
      },
    });
    await bench.start({}, { primary, fallback: undefined });
    bench.server.send(hint({}, { docker_image: 'ahead:1' }));
    await eventually('pull ahead', () => calls[0]);

    bench.server.assign(runMessageFor());
    await eventually('pause', () => (calls.includes('ahead:1 paused') ? true : undefined));
    expect(calls).toEqual(['ahead:1', 'image:1', 'ahead:1 paused']);
    releaseRun();

    await eventually('pull again', () => (calls.at(-1) === 'ahead:1' ? true : undefined));
    await bench.finished(aRun);
  });

  it('larger than the room for images is left to the run', async () => {
    const sizes: (number | undefined)[] = [];
    const scripted = new ScriptedRuntime(bench.machine);
    const primary = changedRuntime(scripted, {
      prepareImage: (reference, options) => {
        sizes.push(options.maximumSize);
        return scripted.prepareImage(reference, options);
      },
    });
    await bench.start({ imageCacheLimit: 500, maximumImageSize: 800 }, { primary, fallback: undefined });

    bench.server.send(hint({}));

    await eventually('pull ahead', () => sizes[0]);
    expect(sizes).toEqual([500]);
  });
});
