/* The cache of dependencies with real files and a real server behind it. */
import { ConnectionError } from '@sheaf/client';
import { DirectoryStore, type Entry } from '@sheaf/trees';
import { eventually } from '@sheaf/testkit';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { Precedence } from '../prefetch/precedence.ts';
import type { DependencySource } from './dependency-source.ts';
import { CacheBench, get, ignore, never } from '../testing/cache-bench.ts';
import type { ProtocolServer } from '../testing/protocol-server.ts';
import { silent } from '../testing/worker-bench.ts';

let bench: CacheBench;
let server: ProtocolServer;
let directory: string;

beforeEach(async () => {
  bench = await CacheBench.open();
  ({ server, directory } = bench);
});
afterEach(() => bench.close());

it('brings files and directories, read-only, with their right to be executed', async () => {
  const cache = await bench.cache();
  await server.keepDirectory('tree', { 'a.txt': 'a', 'b.txt': 'b' });
  await server.keepFile('program', '#!/bin/sh\n', true);

  const tree = await get(cache, 'run', 'tree');
  const program = await get(cache, 'run', 'program');

  expect(tree.names).toEqual(['a.txt', 'b.txt']);
  expect(readFileSync(join(tree.path, 'a.txt'), 'utf8')).toBe('a');
  expect(statSync(join(tree.path, 'a.txt')).mode & 0o777).toBe(0o444);
  expect(program.names).toBeUndefined();
  expect(statSync(program.path).mode & 0o777).toBe(0o555);
  expect(cache.keys).toEqual([
    ['tree', ''],
    ['program', ''],
  ]);
});

it('needs no request for what is here and what the message names', async () => {
  const cache = await bench.cache();
  const entry = await server.keepFile('bundle', 'text');
  await get(cache, 'one', 'bundle', entry);
  const before = server.requests.length;

  await get(cache, 'two', 'bundle', entry);

  expect(server.requests).toHaveLength(before);
});

it('shares equal contents of different bundles', async () => {
  const cache = await bench.cache();
  const one = await server.keepFile('one', 'the same');
  const two = await server.keepFile('two', 'the same');

  const [first, second] = [await get(cache, 'run', 'one', one), await get(cache, 'run', 'two', two)];

  expect(second.path).toBe(first.path);
  expect(bench.fetches).toBe(1);
});

it('shares one download among the runs that wait for it', async () => {
  const cache = await bench.cache();
  const entry = await server.keepDirectory('bundle', { a: 'x'.repeat(1000) });

  const paths = await Promise.all(['one', 'two', 'three'].map((run) => get(cache, run, 'bundle', entry)));

  expect(new Set(paths.map(({ path }) => path)).size).toBe(1);
  // The listing, and the file.
  expect(bench.fetches).toBe(2);
});

it('leaves alone what a run has mounted, when it was to be fetched ahead all that time', async () => {
  const precedence = new Precedence();
  const cache = await bench.cache({ precedence });
  const entry = await server.keepDirectory('bundle', { a: 'x'.repeat(1000) });
  const leave = precedence.enter();
  const ahead = cache.prefetch('later', { parentUuid: 'bundle', parentPath: '', entry }, never);

  const { path } = await get(cache, 'run', 'bundle', entry);
  const mounted = statSync(path).ino;
  leave();

  expect(await ahead).toBe(true);
  expect(statSync(path).ino).toBe(mounted);
});

it('leaves alone what a run comes for while others are being removed', async () => {
  const taken: { name?: string } = {};
  const info = (fields: object, message: string): void => {
    if (!message.includes('removed from the cache') || taken.name !== undefined) return;
    taken.name = 'name' in fields && fields.name === first.name ? second.name : first.name;
    cache.hold('late', [taken.name]);
  };
  const cache = await bench.cache({ log: { ...silent, info } });
  const first = await get(cache, 'run', 'one', await server.keepFile('one', 'text'));
  const second = await get(cache, 'run', 'two', await server.keepFile('two', 'other text'));
  cache.release('run');

  await cache.clearUnused();

  expect([first, second].filter(({ path }) => existsSync(path)).map(({ name }) => name)).toEqual([
    taken.name,
  ]);
});

it('leaves alone what a run has mounted, when a download that was given up comes to its end nevertheless', async () => {
  const late = new AbortController();
  const places: string[] = [];
  const source: Pick<DependencySource, 'entryOf' | 'bring'> = {
    entryOf: () => Promise.reject(new Error('not asked')),
    bring: async (_, __, destination) => {
      places.push(destination);
      mkdirSync(destination);
      if (places.length === 1) await once(late.signal, 'abort');
      return 'downloaded';
    },
  };
  const cache = await bench.cache({ source });
  const entry = await server.keepDirectory('bundle', {});
  const wanted = { parentUuid: 'bundle', parentPath: '', entry };
  const kill = new AbortController();
  const killed = cache.acquire('killed', wanted, kill.signal, ignore);
  await eventually('the first download', () => places[0]);
  kill.abort(new Error('killed'));
  await expect(killed).rejects.toThrow('killed');
  cache.release('killed');

  const { path } = await get(cache, 'run', 'bundle', entry);
  const mounted = statSync(path).ino;
  late.abort();
  await eventually('its end', () => !existsSync(String(places[0])) || undefined);

  expect(statSync(path).ino).toBe(mounted);
});

it('goes on with a shared download when one of two runs is killed, and ends it when both are', async () => {
  const cache = await bench.cache();
  const entry = await server.keepFile('bundle', 'text');
  let release: () => void = () => undefined;
  let asked: () => void = () => undefined;
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  server.intercept = async (path) => {
    if (!path.endsWith('/fetch')) return false;
    asked();
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return false;
  };
  const kills = [new AbortController(), new AbortController(), new AbortController()] as const;
  const wanted = { parentUuid: 'bundle', parentPath: '', entry };
  const first = cache.acquire('one', wanted, kills[0].signal, ignore);
  const second = cache.acquire('two', wanted, kills[1].signal, ignore);
  await isAsked;

  kills[0].abort(new Error('killed'));
  await expect(first).rejects.toThrow('killed');
  release();
  expect(readFileSync((await second).path, 'utf8')).toBe('text');

  const other = await server.keepFile('other', 'other text');
  const third = cache.acquire(
    'three',
    { ...wanted, parentUuid: 'other', entry: other },
    kills[2].signal,
    ignore,
  );
  kills[2].abort(new Error('killed, too'));
  await expect(third).rejects.toThrow('killed, too');
});

describe('what is here', () => {
  it('survives the worker', async () => {
    const entry = await server.keepDirectory('bundle', { a: 'a' });
    const first = await bench.cache();
    await get(first, 'run', 'bundle', entry);
    await first.settle();
    const before = bench.fetches;

    const second = await bench.cache();

    expect(second.keys).toEqual([['bundle', '']]);
    await get(second, 'run', 'bundle', entry);
    expect(bench.fetches).toBe(before);
  });

  it('is fetched again when a file was cut short, or is missing', async () => {
    const entry = await server.keepDirectory('bundle', { a: 'long text', b: 'b' });
    const cache = await bench.cache();
    const { path } = await get(cache, 'one', 'bundle', entry);
    // The blob itself is damaged with it: both are one file.
    chmodSync(join(path, 'a'), 0o600);
    truncateSync(join(path, 'a'), 4);
    cache.release('one');

    const again = await get(cache, 'two', 'bundle', entry);
    expect(readFileSync(join(again.path, 'a'), 'utf8')).toBe('long text');

    rmSync(join(path, 'b'));
    const third = await get(cache, 'three', 'bundle', entry);
    expect(readdirSync(third.path)).toEqual(['a', 'b']);
  });

  it('is hashed again where the owner wants it', async () => {
    const entry = await server.keepFile('bundle', 'right');
    const cache = await bench.cache({ verify: true });
    const { path } = await get(cache, 'one', 'bundle', entry);
    rmSync(path);
    writeFileSync(path, 'wrong');

    const again = await get(cache, 'two', 'bundle', entry);

    expect(readFileSync(again.path, 'utf8')).toBe('right');
  });

  it('is cleared of what a crash has left', async () => {
    await bench.cache();
    writeFileSync(join(directory, 'entries', 'half.incomplete'), '');
    writeFileSync(join(directory, 'index.json'), '{"version": 1, "entr');

    await bench.cache();

    expect(readdirSync(join(directory, 'entries'))).toEqual([]);
  });
});

describe('eviction', () => {
  it('removes what was unused longest, and its bytes, but nothing in use', async () => {
    const cache = await bench.cache({ limit: 2500 });
    const entries = new Map<string, Entry>();
    for (const name of ['a', 'b', 'c']) entries.set(name, await server.keepFile(name, name.repeat(1000)));
    const a = await get(cache, 'run a', 'a', entries.get('a'));
    const b = await get(cache, 'run b', 'b', entries.get('b'));
    cache.release('run b');
    await cache.settle();
    expect(existsSync(b.path)).toBe(true);

    const c = await get(cache, 'run c', 'c', entries.get('c'));
    cache.release('run c');
    await cache.settle();

    expect([a, b, c].map(({ path }) => existsSync(path))).toEqual([true, false, true]);
    const store = await DirectoryStore.open(join(directory, 'store'));
    const digest = (name: string) => (entries.get(name) as { digest: string }).digest;
    expect(await store.has(digest('b'))).toBe(false);
    expect(await store.has(digest('a'))).toBe(true);
    await store.close();
  });

  it('leaves alone what is larger than the limit while a run uses it', async () => {
    const cache = await bench.cache({ limit: 10 });
    const entry = await server.keepFile('bundle', 'x'.repeat(1000));

    const { path } = await get(cache, 'run', 'bundle', entry);
    await cache.settle();
    expect(existsSync(path)).toBe(true);

    cache.release('run');
    await cache.settle();
    expect(existsSync(path)).toBe(false);
  });
});

describe('trouble', () => {
  it('with the server is waited out', async () => {
    const cache = await bench.cache({ attempts: 1 });
    const entry = await server.keepFile('bundle', 'text');
    await server.goAway();
    const statuses: string[] = [];
    const waiting = cache.acquire('run', { parentUuid: 'bundle', parentPath: '', entry }, never, (status) => {
      statuses.push(status);
      if (/nothing listens there/.test(status)) void server.listen();
    });

    expect(readFileSync((await waiting).path, 'utf8')).toBe('text');
    expect(statuses.join('\n')).toMatch(/nothing listens there/);
  });

  it('with the server does not last for ever', async () => {
    let elapsed = 0;
    const clock = { ...systemClock, elapsed: () => (elapsed += 3_000_000), sleep: () => Promise.resolve() };
    const cache = await bench.cache({ clock });
    const entry = await server.keepFile('bundle', 'text');
    await server.goAway();

    await expect(get(cache, 'run', 'bundle', entry)).rejects.toThrow(ConnectionError);
    await server.listen();
  });

  it('that is a refusal ends it at once', async () => {
    const cache = await bench.cache();

    await expect(get(cache, 'run', 'unknown')).rejects.toThrow('There is no bundle unknown.');
    expect(server.requests).toHaveLength(1);
  });

  it('with what arrives is noticed, and after some attempts final', async () => {
    const cache = await bench.cache({
      attempts: 2,
      clock: { ...systemClock, sleep: () => Promise.resolve() },
    });
    const entry: Entry = { kind: 'file', digest: '0'.repeat(64), size: 5, executable: false };
    server.intercept = (path, request, response) => {
      if (!path.endsWith('/fetch')) return false;
      request.resume();
      response.writeHead(200).end('no pack at all');
      return true;
    };

    await expect(get(cache, 'run', 'bundle', entry)).rejects.toThrow();
    expect(bench.fetches).toBe(2);
    expect(readdirSync(join(directory, 'entries'))).toEqual([]);
  });

  it('is said where the dependency is a link that leads nowhere', async () => {
    const cache = await bench.cache();

    await expect(get(cache, 'run', 'bundle', { kind: 'link', target: '/etc/passwd' })).rejects.toThrow(
      /leads out/,
    );
  });
});

describe('with the store of a server on this machine', () => {
  it('links instead of downloading', async () => {
    const local = join(directory, 'server');
    const store = await DirectoryStore.open(local);
    const digest = await store.put(Buffer.from('text'));
    await store.close();
    const cache = await bench.cache({ localStore: local });

    const { path } = await get(cache, 'run', 'bundle', { kind: 'file', digest, size: 4, executable: false });

    expect(statSync(path).ino).toBe(statSync(store.localPath(digest)).ino);
    expect(server.requests).toEqual([]);
  });

  it('downloads what that store has no more', async () => {
    const local = join(directory, 'server');
    await (await DirectoryStore.open(local)).close();
    const cache = await bench.cache({ localStore: local });
    const entry = await server.keepDirectory('bundle', { a: 'a' });

    const { path } = await get(cache, 'run', 'bundle', entry);

    expect(readFileSync(join(path, 'a'), 'utf8')).toBe('a');
  });
});
