/** The store's thread as the rest of the store sees it: one method, answered in order. */
import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { ContentsError } from '../../errors.ts';
import {
  blobThreadBody,
  type ThreadAnswer,
  type ThreadJob,
  type ThreadReply,
  type ThreadRequest,
  type ThreadSettings,
} from './blob-thread-body.ts';
import { translateStorageError } from './storage-error.ts';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class BlobThread {
  readonly #settings: Pick<ThreadSettings, 'blobs' | 'temp'>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #onAnswer: (() => void)[] = [];
  #worker: Worker | undefined;
  #requests = 0;
  #streams = 0;

  constructor(settings: Pick<ThreadSettings, 'blobs' | 'temp'>) {
    this.#settings = settings;
  }

  /** A number under which the thread hashes one stream, piece by piece. */
  newStream(): number {
    this.#streams += 1;
    return this.#streams;
  }

  async run<Kind extends ThreadJob['kind']>(
    job: Extract<ThreadJob, { kind: Kind }>,
    moved: ArrayBuffer[] = [],
  ): Promise<ThreadAnswer<Kind>> {
    const worker = this.#start();
    this.#requests += 1;
    const request: ThreadRequest = { id: this.#requests, job };
    const answer = await new Promise((resolve, reject: (error: Error) => void) => {
      // A process may end while the thread idles, not while it works.
      if (this.#waiting.size === 0) worker.ref();
      this.#waiting.set(request.id, { resolve, reject });
      worker.postMessage(request, moved);
    });
    // The thread answers each kind with its type: both sides are in one file.
    return answer as ThreadAnswer<Kind>;
  }

  /** Waits for what is running. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    while (this.#waiting.size > 0) await this.#anyAnswer();
    this.#worker = undefined;
    await worker.terminate();
  }

  async #anyAnswer(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onAnswer.push(resolve);
    });
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const settings: ThreadSettings = { ...this.#settings, prefix: `${process.pid}-${randomUUID()}` };
    const source = `const threads = require('node:worker_threads');
      (${blobThreadBody.toString()})(threads.parentPort, require('node:fs'), require('node:crypto'), threads.workerData);`;
    const worker = new Worker(source, { eval: true, workerData: settings, execArgv: [] });
    worker.on('message', (reply: ThreadReply) => this.#answer(worker, reply));
    worker.on('error', (error: Error) =>
      this.#fail(worker, new ContentsError('the store thread failed', { cause: error })),
    );
    worker.on('exit', () => this.#fail(worker, new ContentsError('the store is closed')));
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #answer(worker: Worker, reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) worker.unref();
    for (const tell of this.#onAnswer.splice(0)) tell();
    if (waiting === undefined) return;
    if ('value' in reply) waiting.resolve(reply.value);
    else
      waiting.reject(
        translateStorageError(Object.assign(new Error(reply.error.message), { code: reply.error.code })),
      );
  }

  #fail(worker: Worker, error: Error): void {
    if (this.#worker === worker) this.#worker = undefined;
    const failed = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of failed) waiting.reject(error);
    for (const tell of this.#onAnswer.splice(0)) tell();
  }
}
