/**
 * One worker for a place in a work directory: two would fight over the same runs. The directory may be on a network filesystem, so
 * whoever holds the lock also shows signs of life in it, for workers on other machines that cannot see the process.
 */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';
import { systemCode } from '../errors.ts';
import { StartProblem } from '../settings/settings.ts';
import { processIdentity } from './process-identity.ts';

export interface Lock {
  release(): Promise<void>;
}

export interface LockOptions {
  /** Name of the worker that wants it. */
  readonly id: string;
  /** The directory as the owner wrote it. */
  readonly shown: string;
  /** Milliseconds between signs of life, and without one until a worker on another machine counts as dead. */
  readonly beatEvery?: number;
  readonly patience?: number;
}

/** Milliseconds in which whoever has made a lock writes into it. */
const beginning = 2000;

const holder = z.object({
  id: z.string(),
  host: z.string(),
  /** Number and start of the process. */
  process: z.string(),
  nonce: z.string(),
  beat: z.string(),
});
type Holder = z.infer<typeof holder>;

/** Another worker that is alive has it. */
export class LockedProblem extends StartProblem {
  /** The name of that worker; undefined where it is older than names in locks. */
  readonly holder: string | undefined;

  constructor(shown: string, known: Holder | undefined, text: string) {
    const process = /^\d+/.exec(known?.process ?? text)?.[0] ?? 'unknown';
    const where = known === undefined || known.host === hostname() ? '' : ` on ${known.host}`;
    super(
      `Another worker (process ${process}${where}) uses ${shown}: stop it, or give this one another --work-dir.`,
    );
    this.holder = known?.id;
  }
}

/** @throws LockedProblem where another worker that is alive has it. */
export async function lockDirectory(path: string, options: LockOptions): Promise<Lock> {
  const { beatEvery = 10_000, patience = 30_000 } = options;
  const mine = {
    id: options.id,
    host: hostname(),
    process: await processIdentity(process.pid),
    nonce: randomUUID(),
  };
  for (let attempt = 0; ; attempt += 1) {
    const file = await createNew(path);
    if (file !== undefined) {
      const lock = new HeldLock(path, file, mine);
      await lock.begin(beatEvery);
      return lock;
    }
    const text = await textIn(path);
    if (text === undefined) continue;
    // Somebody has made it this very moment, and not yet written who they are.
    if (text === '' && (await beats(path, text, Math.min(beginning, patience)))) continue;
    const known = holderIn(text);
    const alive = await isAlive(path, text, known, patience);
    if (alive || attempt > 3) throw new LockedProblem(options.shown, known, text);
    await removeStale(path, text);
  }
}

async function createNew(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/** Two that find a dead worker's lock at the same time must not remove each other's. */
async function removeStale(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  if ((await textIn(aside)) === text) await rm(aside);
  else await rename(aside, path);
}

class HeldLock implements Lock {
  readonly #path: string;
  /** Kept open, so that a beat never lands in a lock that somebody else has put there. */
  readonly #file: FileHandle;
  readonly #mine: Omit<Holder, 'beat'>;
  #beat = 0;
  #beating: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #released: Promise<void> | undefined;

  constructor(path: string, file: FileHandle, mine: Omit<Holder, 'beat'>) {
    this.#path = path;
    this.#file = file;
    this.#mine = mine;
  }

  async begin(beatEvery: number): Promise<void> {
    await this.#write();
    this.#timer = setInterval(() => {
      this.#beating = this.#beating.then(() => this.#showLife());
    }, beatEvery).unref();
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async #release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await this.#file.close();
    if ((await textIn(this.#path))?.includes(this.#mine.nonce) === true)
      await rm(this.#path, { force: true });
  }

  /** A filesystem that is away makes a worker look dead from elsewhere; the next beat tries again. */
  async #showLife(): Promise<void> {
    this.#beat += 1;
    try {
      await this.#write();
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
  }

  /** Of the same length every time; made durable, because only then others see it on a network filesystem. */
  async #write(): Promise<void> {
    const text = JSON.stringify({ ...this.#mine, beat: String(this.#beat).padStart(12, '0') });
    await this.#file.write(text, 0);
    await this.#file.datasync();
  }
}

async function textIn(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function holderIn(text: string): Holder | undefined {
  try {
    return holder.parse(JSON.parse(text));
  } catch {
    // Of an earlier version, which wrote its process only; or of a machine that lost its power.
    return undefined;
  }
}

/** Somebody on this machine can be looked for; whoever is on another one has to show signs of life. */
async function isAlive(
  path: string,
  text: string,
  known: Holder | undefined,
  patience: number,
): Promise<boolean> {
  if (known === undefined || known.host === hostname()) return isRunning(known?.process ?? text);
  return beats(path, text, patience);
}

/** A process of this machine. */
async function isRunning(identity: string): Promise<boolean> {
  const pid = Number(/^\d+/.exec(identity)?.[0]);
  if (!Number.isSafeInteger(pid) || pid === process.pid) return false;
  return (await processIdentity(pid)) === identity;
}

/** Whether whoever wrote the text goes on writing. */
async function beats(path: string, text: string, patience: number): Promise<boolean> {
  const end = performance.now() + patience;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(500, patience / 10)));
    if ((await textIn(path)) !== text) return true;
  }
  return false;
}
