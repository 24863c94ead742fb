/* Downloads that are cut short, that find no room, or that nobody waits for any more. */
import { eventually, runProcess } from '@sheaf/testkit';
import type { Entry } from '@sheaf/trees';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { CacheBench, get, ignore, never } from '../testing/cache-bench.ts';

let bench: CacheBench;
beforeEach(async () => {
  bench = await CacheBench.open();
});
afterEach(() => bench.close());

const quick = { clock: { ...systemClock, sleep: () => Promise.resolve() } };

/** Ends the first answers to a kind of request in the middle, as a proxy does that loses its other side. */
function cutShort(bench: CacheBench, kind: RegExp, times: number, end: (response: ServerResponse) => void) {
  let left = times;
  bench.server.intercept = (path, _, response) => {
    if (!kind.test(path) || left === 0) return false;
    left -= 1;
    const write = response.write.bind(response);
    let sent = 0;
    response.write = (chunk: Uint8Array, ...rest: unknown[]) => {
      if (sent > 0) return true;
      sent = Math.min(chunk.length, 300_000);
      write(chunk.subarray(0, sent >> 1));
      end(response);
      void rest;
      return true;
    };
    return false;
  };
}

const breakOff = (response: ServerResponse): void => {
  response.socket?.resetAndDestroy();
};
const endEarly = (response: ServerResponse): void => {
  response.end();
};

describe.each([
  ['is broken off', breakOff, false],
  ['ends as if it were complete', endEarly, true],
] as const)('an answer that %s', (_, end, resumes) => {
  it('in the middle of many small files is noticed, and asked for again', async () => {
    const cache = await bench.cache(quick);
    const files = Object.fromEntries(
      Array.from({ length: 50 }, (__, n) => [`f${n}`, `text ${n}`.repeat(20)]),
    );
    const entry = await bench.server.keepDirectory('bundle', files);
    cutShort(bench, /fetch$/, 2, end);

    const { path } = await get(cache, 'run', 'bundle', entry);

    expect(readFileSync(join(path, 'f49'), 'utf8')).toBe(files['f49']);
    expect(readdirSync(path)).toHaveLength(50);
  });

  it('in the middle of a large file is noticed, and goes on from there', async () => {
    const cache = await bench.cache(quick);
    const text = 'x'.repeat(3_000_000);
    const entry = await bench.server.keepFile('bundle', text);
    const ranges: (string | undefined)[] = [];
    cutShort(bench, /blobs/, 1, end);
    const cut = bench.server.intercept;
    bench.server.intercept = (path, request, response) => {
      if (/blobs/.test(path)) ranges.push(request.headers.range);
      return cut(path, request, response);
    };

    const { path } = await get(cache, 'run', 'bundle', entry);

    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(ranges).toHaveLength(2);
    // What was still on its way when the connection broke is lost.
    if (resumes) expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
  });
});

it('a download that failed for one run is tried again for the next', async () => {
  const cache = await bench.cache({ ...quick, attempts: 1 });
  const entry = await bench.server.keepFile('bundle', 'text');
  bench.server.intercept = (path, request, response) => {
    if (!path.endsWith('/fetch')) return false;
    request.resume();
    response.writeHead(200).end('no pack at all');
    return true;
  };
  await expect(get(cache, 'one', 'bundle', entry)).rejects.toThrow();
  bench.server.intercept = () => false;

  expect(readFileSync((await get(cache, 'two', 'bundle', entry)).path, 'utf8')).toBe('text');
});

it('a server that is away in the middle is no failed attempt', async () => {
  const cache = await bench.cache({ attempts: 1 });
  const entry = await bench.server.keepFile('bundle', 'x'.repeat(3_000_000));
  let away = 0;
  bench.server.intercept = async (path) => {
    if (!/blobs/.test(path) || away === 2) return false;
    away += 1;
    await bench.server.goAway();
    setImmediate(() => void bench.server.listen());
    return true;
  };

  const { path } = await get(cache, 'run', 'bundle', entry);

  expect(readFileSync(path).length).toBe(3_000_000);
  expect(away).toBe(2);
});

it('no more than four downloads are made at once', async () => {
  const cache = await bench.cache();
  let now = 0;
  let most = 0;
  bench.server.intercept = async (path) => {
    if (!path.endsWith('/fetch')) return false;
    now += 1;
    most = Math.max(most, now);
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    now -= 1;
    return false;
  };
  const all = Array.from({ length: 12 }, async (_, number) => {
    const name = `bundle${number}`;
    await get(cache, 'run', name, await bench.server.keepFile(name, `text ${number}`));
  });

  await Promise.all(all);

  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(4);
});

it('garbage of any kind is cleared away at the start', async () => {
  const first = await bench.cache();
  const entry = await bench.server.keepFile('bundle', 'text');
  await get(first, 'run', 'bundle', entry);
  await first.settle();
  const entries = join(bench.directory, 'entries');
  mkdirSync(join(entries, 'x.tree', 'deep'), { recursive: true });
  writeFileSync(join(entries, 'y.evicted'), '');
  rmSync(join(bench.directory, 'index.json'));
  mkdirSync(join(bench.directory, 'index.json'));

  const second = await bench.cache();

  expect(readdirSync(entries)).toEqual([]);
  expect(second.keys).toEqual([]);
  expect(readFileSync((await get(second, 'run', 'bundle', entry)).path, 'utf8')).toBe('text');
});

it('what a killed run has begun to download is continued by the next', async () => {
  const cache = await bench.cache();
  const text = 'x'.repeat(3_000_000);
  const entry = await bench.server.keepFile('bundle', text);
  const kill = new AbortController();
  cutShort(bench, /blobs/, 1, ignore);
  const wanted = { parentUuid: 'bundle', parentPath: '', entry };
  const killed = cache.acquire('one', wanted, kill.signal, ignore);
  const partial = join(bench.directory, 'store', 'partial');
  await eventually('first bytes', (): true | undefined => {
    const files: string[] = existsSync(partial) ? readdirSync(partial) : [];
    const [file] = files;
    return (file !== undefined && statSync(join(partial, file)).size > 0) || undefined;
  });
  kill.abort(new Error('killed'));
  await expect(killed).rejects.toThrow('killed');
  cache.release('one');
  let range: string | undefined;
  bench.server.intercept = (path, request) => {
    if (/blobs/.test(path)) range = request.headers.range;
    return false;
  };

  expect(readFileSync((await get(cache, 'two', 'bundle', entry)).path, 'utf8')).toBe(text);
  expect(range).toMatch(/^bytes=[1-9]\d*-$/);
});

/** A filesystem of 8 MiB; only root can make one. */
const isRoot = process.getuid?.() === 0;
describe.skipIf(!isRoot)('a disk that is full', () => {
  let disk: CacheBench;
  beforeEach(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sheaf-full-'));
    await runProcess('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory]);
    disk = await CacheBench.open(directory);
  });
  afterEach(async () => {
    // The directory itself stays while it is mounted.
    await disk.close().catch(() => undefined);
    await runProcess('umount', [disk.directory]);
    rmSync(disk.directory, { recursive: true, force: true });
  });

  const large = (name: string, size: number): Promise<Entry> =>
    disk.server.keepFile(name, name.repeat(size / name.length));

  it('is cleared of what nobody uses, and then there is room', async () => {
    const cache = await disk.cache(quick);
    const [a, b, c] = [await large('a', 3e6), await large('b', 3e6), await large('c', 3e6)];
    const first = await get(cache, 'one', 'a', a);
    const used = await get(cache, 'two', 'b', b);
    cache.release('one');

    const { path } = await get(cache, 'three', 'c', c);

    expect(readFileSync(path).length).toBe(3e6);
    expect(existsSync(first.path)).toBe(false);
    expect(existsSync(used.path)).toBe(true);
  });

  it('is named as the reason where nothing helps', async () => {
    const cache = await disk.cache(quick);
    const entry = await large('a', 20e6);

    await expect(
      cache.acquire('run', { parentUuid: 'a', parentPath: '', entry }, never, ignore),
    ).rejects.toThrow(/^the disk of the worker is full: it takes 19\.1m, and .* are free$/);
  });
});
