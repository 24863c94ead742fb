import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hashDirectory } from '../disk/hash-directory.ts';
import { HashedBytes, type HashedTree } from '../disk/hashed-tree.ts';
import { DigestMismatchError, FileChangedError, IncompleteContentsError } from '../errors.ts';
import {
  anyDirectory,
  directory,
  file,
  link,
  storeContents,
  storeDirectory,
  writeContents,
  type Directory,
} from '../fixtures/contents.ts';
import { temporaryDirectory } from '../fixtures/temporary.ts';
import { someBytes } from '../fixtures/bytes.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { DirectoryStore } from '../stores/directory/directory-store.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { digestOf } from '../tree/digest.ts';
import type { Entry } from '../tree/entry.ts';
import { verifyContents } from '../tree/verify.ts';
import { fetchContents } from './fetch.ts';
import type { FetchPeer, SendableBody, SendPeer } from './peer.ts';
import { sendContents, type TransferProgress } from './send.ts';
import { answerOffer, fetchFromStore, hashedFromStore, packFromStore, sendToStore } from './store-peer.ts';

/** Fails as often as the numbers say: 0 lets a call through, n breaks it off after n hundred bytes. */
class Failures {
  readonly #left: number[];
  readonly calls: string[] = [];

  constructor(numbers: readonly number[]) {
    this.#left = [...numbers];
  }

  call(name: string): number {
    this.calls.push(name);
    const after = this.#left.shift() ?? 0;
    if (after === 1) throw new Error(`${name} failed`);
    return after === 0 ? Number.POSITIVE_INFINITY : after * 100;
  }
}

async function* broken(source: AsyncIterable<Uint8Array>, after: number): AsyncGenerator<Uint8Array> {
  let passed = 0;
  for await (const chunk of source) {
    const rest = after - passed;
    if (chunk.length > rest) {
      yield chunk.subarray(0, rest);
      throw new Error('the connection was lost');
    }
    passed += chunk.length;
    yield chunk;
  }
}

function flakySender(peer: SendPeer<Entry>, failures: Failures): SendPeer<Entry> {
  const body = (whole: SendableBody, after: number): SendableBody => ({
    length: whole.length,
    open: () => broken(whole.open(), after),
  });
  return {
    offer: async (blobs, context) => {
      failures.call('offer');
      return await peer.offer(blobs, context);
    },
    sendPack: async (pack, context) => await peer.sendPack(body(pack, failures.call('sendPack')), context),
    sendBlob: async (blob, offset, whole, context) =>
      await peer.sendBlob(blob, offset, body(whole, failures.call(`sendBlob ${offset}`)), context),
    commit: async (root, context) => {
      failures.call('commit');
      return await peer.commit(root, context);
    },
    commitPack: async (root, pack, context) =>
      await peer.commitPack(root, body(pack, failures.call('commitPack')), context),
  };
}

function flakyFetcher(peer: FetchPeer, failures: Failures): FetchPeer {
  return {
    fetchPack: async (digests, context) =>
      broken(await peer.fetchPack(digests, context), failures.call(`fetchPack ${digests.length}`)),
    fetchBlob: async (digest, offset, context) =>
      broken(await peer.fetchBlob(digest, offset, context), failures.call(`fetchBlob ${offset}`)),
  };
}

async function untilItWorks<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Error) || !/failed|lost/.test(error.message)) throw error;
    }
  }
  throw new Error('it never worked');
}

async function hashed(contents: Directory): Promise<HashedTree> {
  const path = join(await temporaryDirectory(), 'source');
  writeContents(contents, path);
  return await hashDirectory(path);
}

const mixed = directory({
  small: directory(
    Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}`, file(`text ${index}`)])),
  ),
  large: file(someBytes(1_500_000)),
  larger: file(someBytes(2_500_000, 1), true),
  l: link('small'),
});

describe('contents that are sent and fetched again', () => {
  it('are the same, whatever fails on the way', async () => {
    const numbers = fc.array(fc.nat(40), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(anyDirectory, numbers, numbers, fc.boolean(), async (contents, out, back, grown) => {
        const whole = grown ? directory({ ...contents.children, ...mixed.children }) : contents;
        const source = new MemoryStore();
        const root = await storeDirectory(source, whole);
        const server = new MemoryStore();
        const worker = new MemoryStore();
        const sender = flakySender(sendToStore(server), new Failures(out));
        const fetcher = flakyFetcher(fetchFromStore(server), new Failures(back));

        const sent = await hashedFromStore(source, root);
        expect(await untilItWorks(() => sendContents(sent, sender))).toEqual(root);
        await untilItWorks(() => fetchContents(root, fetcher, worker));

        await verifyContents(server, root);
        await verifyContents(worker, root);
      }),
      { numRuns: 40 },
    );
  });

  it('are the same on disk, with a directory of blobs on either side', async () => {
    const path = await temporaryDirectory();
    const open = async (name: string): Promise<BlobStore> => {
      const store = await DirectoryStore.open(join(path, name));
      onTestFinished(() => store.close());
      return store;
    };
    const [server, worker] = [await open('server'), await open('worker')];
    const source = await hashed(mixed);
    const failures = new Failures([0, 0, 12_000, 0, 20_000]);

    const root = await untilItWorks(() => sendContents(source, flakySender(sendToStore(server), failures)));
    await fetchContents(root, fetchFromStore(server), worker);

    await verifyContents(worker, source.root);
    expect(root).toEqual(source.root);
    expect(failures.calls.some((call) => /sendBlob [1-9]/.test(call))).toBe(true);
  });
});

describe('sendContents', () => {
  it('sends little contents in one round trip', async () => {
    const failures = new Failures([]);
    await sendContents(
      await hashed(directory({ a: file('x') })),
      flakySender(sendToStore(new MemoryStore()), failures),
    );
    expect(failures.calls).toEqual(['commitPack']);
  });

  it('sends a single link, which has no bytes at all', async () => {
    const failures = new Failures([]);
    const root: Entry = { kind: 'link', target: 'x' };
    const peer = flakySender(sendToStore(new MemoryStore()), failures);
    expect(await sendContents({ root, blobs: new Map() }, peer)).toEqual(root);
    expect(failures.calls).toEqual(['commit']);
  });

  it('sends only what is missing', async () => {
    const server = new MemoryStore();
    await storeContents(server, directory({ large: file(someBytes(1_500_000)) }));
    const failures = new Failures([]);
    const told: TransferProgress[] = [];
    await sendContents(await hashed(mixed), flakySender(sendToStore(server), failures), {
      onProgress: (progress) => told.push(progress),
    });
    expect(failures.calls.toSorted()).toEqual(['commit', 'offer', 'sendBlob 0', 'sendPack']);
    expect(told.at(-1)).toMatchObject({ bytes: told[0]?.totalBytes, blobs: told[0]?.totalBlobs });
  });

  it('goes on at the offset the receiver names', async () => {
    const server = new MemoryStore();
    const bytes = someBytes(1_500_000);
    await server
      .partial(digestOf(bytes), bytes.length)
      .append(0, Readable.from([bytes.subarray(0, 700_000)]));
    const failures = new Failures([]);
    await sendContents(await hashed(mixed), flakySender(sendToStore(server), failures));
    expect(failures.calls).toContain('sendBlob 700000');
  });

  it('refuses to send a file that has changed', async () => {
    const path = join(await temporaryDirectory(), 'source');
    writeContents(mixed, path);
    const source = await hashDirectory(path);
    appendFileSync(join(path, 'large'), 'more');
    await expect(sendContents(source, sendToStore(new MemoryStore()))).rejects.toThrow(FileChangedError);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const peer = sendToStore(new MemoryStore());
    const sending = sendContents(
      await hashed(mixed),
      {
        ...peer,
        sendBlob: async (_blob, _offset, _body, { signal }) => {
          stop.abort(new Error('never mind'));
          signal.throwIfAborted();
        },
      },
      { signal: stop.signal },
    );
    await expect(sending).rejects.toThrow('never mind');
    await expect(sendContents(await hashed(mixed), peer, { signal: stop.signal })).rejects.toThrow(
      'never mind',
    );
  });

  it('takes no nonsense from the receiver', async () => {
    const source = await hashed(mixed);
    const peer = sendToStore(new MemoryStore());
    const asking = async (digest: string, offset: number): Promise<unknown> =>
      await sendContents(source, { ...peer, offer: async () => [[digest, offset]] });
    await expect(asking('ab'.repeat(32), 0)).rejects.toThrow('not offered');
    await expect(asking(digestOf(someBytes(1_500_000)), 1_500_001)).rejects.toThrow('more');
  });

  it('cannot commit what is not whole', async () => {
    const source = await hashed(mixed);
    const peer = sendToStore(new MemoryStore());
    await expect(sendContents(source, { ...peer, offer: async () => [] })).rejects.toThrow(
      IncompleteContentsError,
    );
  });
});

describe('fetchContents', () => {
  it('fetches only what is missing, and tells its progress', async () => {
    const server = new MemoryStore();
    const root = await storeDirectory(server, mixed);
    const worker = new MemoryStore();
    await storeContents(worker, file(someBytes(1_500_000)));
    const failures = new Failures([]);
    const told: number[] = [];

    await fetchContents(root, flakyFetcher(fetchFromStore(server), failures), worker, {
      onProgress: ({ bytes, totalBytes }) => told.push(bytes / totalBytes),
    });

    expect(failures.calls.toSorted()).toEqual(['fetchBlob 0', 'fetchPack 1', 'fetchPack 1', 'fetchPack 50']);
    expect(told.at(-1)).toBe(1);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    failures.calls.length = 0;
    await fetchContents(root, flakyFetcher(fetchFromStore(server), failures), worker);
    expect(failures.calls).toEqual([]);
  });

  it('fetches a single file', async () => {
    const server = new MemoryStore();
    for (const contents of [file('x'), file(someBytes(700_000))]) {
      const root = await storeContents(server, contents);
      const worker = new MemoryStore();
      await fetchContents(root, fetchFromStore(server), worker);
      await verifyContents(worker, root);
    }
    await fetchContents({ kind: 'link', target: 'x' }, fetchFromStore(server), new MemoryStore());
  });

  it('goes on where it was cut off', async () => {
    const server = new MemoryStore();
    const root = await storeContents(server, file(someBytes(1_500_000)));
    const failures = new Failures([8000]);
    const worker = new MemoryStore();
    await untilItWorks(() => fetchContents(root, flakyFetcher(fetchFromStore(server), failures), worker));
    expect(failures.calls).toEqual(['fetchBlob 0', 'fetchBlob 800000']);
    await verifyContents(worker, root);
  });

  it('believes no bytes that are not what was asked for', async () => {
    const server = new MemoryStore();
    const root = await storeDirectory(server, mixed);
    const honest = fetchFromStore(server);
    const other = await server.put(someBytes(1_500_000, 9));
    const lying: FetchPeer = {
      ...honest,
      fetchBlob: async (_digest, offset) => server.read(other, { offset }),
    };
    await expect(fetchContents(root, lying, new MemoryStore())).rejects.toThrow();
    const same = await storeContents(server, file(someBytes(1_500_000)));
    await expect(fetchContents(same, lying, new MemoryStore())).rejects.toThrow(DigestMismatchError);
    const leaving: FetchPeer = { ...honest, fetchPack: async () => packFromStore(server, []) };
    await expect(fetchContents(root, leaving, new MemoryStore())).rejects.toThrow(IncompleteContentsError);
    const short: FetchPeer = { ...honest, fetchBlob: async (digest) => server.read(digest, { length: 5 }) };
    await expect(fetchContents(same, short, new MemoryStore())).rejects.toThrow(IncompleteContentsError);
  });

  it('stops when it is told to', async () => {
    const server = new MemoryStore();
    const root = await storeDirectory(server, mixed);
    const signal = AbortSignal.abort(new Error('never mind'));
    await expect(fetchContents(root, fetchFromStore(server), new MemoryStore(), { signal })).rejects.toThrow(
      'never mind',
    );
  });
});

describe('answerOffer', () => {
  it('tells nothing of blobs that the sender may not know', async () => {
    const store = new MemoryStore();
    const secret = Buffer.from('secret');
    const mine = Buffer.from('mine');
    await store.putMany([secret, mine]);
    const offered = [secret, mine].map((bytes): [string, number] => [digestOf(bytes), bytes.length]);

    const needed = await answerOffer(store, offered, { mayKnow: (digest) => digest === digestOf(mine) });

    expect(needed).toEqual([[digestOf(secret), 0]]);
    expect(await answerOffer(store, offered)).toEqual([]);
  });

  it('asks again for a blob that is here with another size', async () => {
    const store = new MemoryStore();
    await store.put(Buffer.from('hello'));
    expect(await answerOffer(store, [[digestOf(Buffer.from('hello')), 4]])).toHaveLength(1);
  });
});

describe('HashedBytes', () => {
  it('reads nothing from its end on', async () => {
    const blob = new HashedBytes(digestOf(Buffer.from('abc')), Buffer.from('abc'));
    const read: string[] = [];
    for (const offset of [0, 2, 3]) {
      let text = '';
      for await (const chunk of blob.open(offset)) text += String(chunk);
      read.push(text);
    }
    expect(read).toEqual(['abc', 'c', '']);
  });
});
