import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { relay } from './relay.ts';

describe('relay', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sheaf-relay-'));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  const clock = {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    after: (milliseconds: number, callback: () => void) => {
      const timer = setTimeout(callback, milliseconds);
      return () => clearTimeout(timer);
    },
  };
  const options = (patience: number, more: { readToEnd?: boolean } = {}) => ({
    patience,
    clock,
    readToEnd: more.readToEnd ?? false,
    spoolPath: () => join(directory, 'spool'),
  });
  const text = async (stream: Readable) => {
    const pieces: Buffer[] = [];
    for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };
  const long = Array.from({ length: 200 }, (_, index) => String(index).padStart(5, '0').repeat(1000));

  it('passes everything on, in order', async () => {
    const reader = new PassThrough();
    const read = text(reader);
    const { taken, passed } = relay(
      Readable.from(long.map((piece) => Buffer.from(piece))),
      reader,
      options(10_000),
    );
    await taken;
    expect(await read).toBe(long.join(''));
    await passed;
  });

  it('takes everything from the source although the reader stands still, and loses nothing', async () => {
    const reader = new PassThrough();
    const { taken, passed } = relay(
      Readable.from(long.map((piece) => Buffer.from(piece))),
      reader,
      options(20),
    );
    await taken;
    // The file has no name any more: no crash leaves it behind.
    expect(existsSync(join(directory, 'spool'))).toBe(false);
    expect(readdirSync(directory)).toEqual([]);
    expect(await text(reader)).toBe(long.join(''));
    await passed;
  });

  it('never ends the reader properly when the source fails', async () => {
    for (const patience of [10_000, 20]) {
      const reader = new PassThrough();
      const source = Readable.from(
        (async function* () {
          for (const piece of long) yield Buffer.from(piece);
          throw new Error('broken off');
        })(),
      );
      const { taken, passed } = relay(source, reader, options(patience));
      const failed = Promise.allSettled([taken, passed]);
      if (patience === 20) await expect(taken).rejects.toThrow('broken off');
      await expect(text(reader)).rejects.toThrow('broken off');
      expect((await failed)[0]?.status).toBe('rejected');
    }
  });

  it('lets go of the source when the reader leaves', async () => {
    const reader = new PassThrough();
    const source = new PassThrough();
    const { taken, passed } = relay(source, reader, options(10_000));
    const settled = Promise.allSettled([taken, passed]);
    source.write('x');
    reader.resume();
    reader.destroy();
    await settled;
    expect(source.destroyed).toBe(true);
  });

  it('reads a short source to its end all the same', async () => {
    const reader = new PassThrough();
    const source = new PassThrough();
    const { taken } = relay(source, reader, options(10_000, { readToEnd: true }));
    reader.destroy();
    source.end('short');
    await taken;
    expect(source.readableEnded).toBe(true);
  });
});
