/*
 * Passes a worker's bytes on to a reader. Original workers give up when they cannot send for 60 s (execution.md T5), so a reader
 * that is slower than that must not hold them: what it has not taken by then goes to a temporary file, and comes from there.
 */
import { open, rm, type FileHandle } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../services.ts';

export interface RelayOptions {
  /** How long the sender may be made to wait, in milliseconds; undefined: as long as the reader takes. */
  readonly patience: number | undefined;
  readonly clock: Clock;
  /** Whether the source is read to its end although the reader is gone; else it is destroyed. For sources that are short. */
  readonly readToEnd: boolean;
  /** A path for the temporary file, should one be needed. */
  readonly spoolPath: () => string;
}

const pieceSize = 64 * 1024;

/**
 * Copies `source` into `reader` and ends it.
 * `taken` settles when everything was taken from the source (it may be answered then); `passed` when the reader has all of it.
 * When the source fails, the reader is destroyed with the error, never ended.
 */
export function relay(
  source: Readable,
  reader: Writable,
  options: RelayOptions,
): { taken: Promise<void>; passed: Promise<void> } {
  let passed: Promise<void> = Promise.resolve();
  const taken = take(source, reader, options, (later) => {
    passed = later;
  });
  return {
    taken,
    passed: taken.then(() => passed),
  };
}

async function take(
  source: Readable,
  reader: Writable,
  options: RelayOptions,
  finishLater: (passed: Promise<void>) => void,
): Promise<void> {
  const readerGone = () => source.destroy();
  if (!options.readToEnd) reader.once('close', readerGone);
  let spool: Spool | undefined;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (reader.destroyed) continue;
      if (spool !== undefined) await spool.append(chunk);
      else if (!reader.write(chunk) && !(await drained(reader, options))) {
        spool = await Spool.create(options.spoolPath());
        finishLater(spool.passTo(reader));
      }
    }
    if (spool !== undefined) spool.end();
    else if (!reader.destroyed) reader.end();
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (spool !== undefined) spool.fail(failure);
    if (!reader.destroyed) reader.destroy(failure);
    throw failure;
  } finally {
    reader.off('close', readerGone);
  }
}

/** False: the reader is still full after the time the sender may wait. */
async function drained(reader: Writable, { patience, clock }: RelayOptions): Promise<boolean> {
  const impatient = new AbortController();
  const cancel = patience === undefined ? () => undefined : clock.after(patience, () => impatient.abort());
  try {
    await room(reader, impatient.signal);
  } finally {
    cancel();
  }
  return !impatient.signal.aborted;
}

/** Returns when the reader takes more, is gone, or the signal fires. */
function room(reader: Writable, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      reader.off('drain', finish);
      reader.off('close', finish);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    reader.once('drain', finish);
    reader.once('close', finish);
    signal?.addEventListener('abort', finish);
    if (reader.destroyed) finish();
  });
}

/** A file that is written at its end and read from its start at the same time. */
class Spool {
  readonly #file: FileHandle;
  #written = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  static async create(path: string): Promise<Spool> {
    const file = await open(path, 'wx+', 0o600);
    // The open file lives on without a name, so that no crash leaves it behind.
    await rm(path);
    return new Spool(file);
  }

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(chunk: Buffer): Promise<void> {
    await this.#file.write(chunk, 0, chunk.length, this.#written);
    this.#written += chunk.length;
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(failure: Error): void {
    this.#failure = failure;
    this.#wake?.();
  }

  async passTo(reader: Writable): Promise<void> {
    try {
      let position = 0;
      while (!reader.destroyed) {
        if (this.#failure !== undefined) throw this.#failure;
        const length = Math.min(pieceSize, this.#written - position);
        if (length === 0) {
          if (this.#ended) break;
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          continue;
        }
        if (reader.writableNeedDrain) await room(reader);
        const piece = Buffer.allocUnsafe(length);
        const { bytesRead } = await this.#file.read(piece, 0, length, position);
        position += bytesRead;
        reader.write(piece.subarray(0, bytesRead));
      }
      reader.end();
    } catch (error) {
      reader.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      await this.#file.close();
    }
  }
}
