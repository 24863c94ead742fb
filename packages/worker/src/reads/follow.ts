/** Hands out a file as it is written, until the command has ended and every byte is out. */
import type { FileHandle } from 'node:fs/promises';
import { Changes } from './changes.ts';
import { ReadProblem } from './read-problem.ts';

export interface FollowRequest {
  /** @throws ReadProblem while there is no such file */
  readonly open: () => Promise<FileHandle>;
  readonly offset: number;
  /** Resolves when the command will write nothing more. */
  readonly ended: Promise<void>;
  readonly signal: AbortSignal;
}

const pieceSize = 256 * 1024;
/** Milliseconds between looks for a file that is not there yet. */
const lookForFile = 100;

/**
 * From an offset on. A file that was cut short begins anew, and so does one that was replaced by another of its name (as logs are,
 * when they are rotated), after the rest of the old one.
 * @throws ReadProblem when the command ends without having made the file
 */
export async function* follow(request: FollowRequest): AsyncGenerator<Uint8Array> {
  const ended = watchEnd(request);
  const first = await openWhenThere(request, ended);
  if (first === undefined) return;
  const followed = new FollowedFile(first, request.offset);
  ended.wake = () => followed.changes.happen();
  try {
    for (;;) {
      // Looked at before reading: what was written before the end is then read, too.
      const last = ended.over;
      let isNews = false;
      for (;;) {
        if (request.signal.aborted) return;
        const bytes = await followed.read();
        if (bytes === undefined) break;
        isNews = true;
        yield bytes;
      }
      if (!isNews && (await followed.replace(request.open))) continue;
      if (last) return;
      await followed.changes.next();
    }
  } finally {
    await followed.close();
  }
}

class FollowedFile {
  #file: FileHandle;
  #position: number;
  /** Its size when nothing more could be read. */
  #seen = 0;
  changes: Changes;

  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#position = position;
    this.changes = new Changes(file);
  }

  /** What comes next; undefined where there is nothing (yet). */
  async read(): Promise<Uint8Array | undefined> {
    const buffer = Buffer.allocUnsafeSlow(pieceSize);
    const { bytesRead } = await this.#file.read(buffer, 0, pieceSize, this.#position);
    if (bytesRead > 0) {
      this.#position += bytesRead;
      return buffer.subarray(0, bytesRead);
    }
    const { size } = await this.#file.stat();
    const isCut = size < this.#seen;
    this.#seen = size;
    if (!isCut || size >= this.#position) return undefined;
    this.#position = 0;
    return size === 0 ? undefined : await this.read();
  }

  /** Goes over to the file that has the name now, if that is another one. */
  async replace(open: () => Promise<FileHandle>): Promise<boolean> {
    const other = await openIfThere(open);
    if (other === undefined) return false;
    const [now, then] = await Promise.all([other.stat(), this.#file.stat()]);
    if (now.ino === then.ino && now.dev === then.dev) {
      await other.close();
      return false;
    }
    const [old, oldChanges] = [this.#file, this.changes];
    this.#file = other;
    this.#position = 0;
    this.#seen = 0;
    this.changes = new Changes(other);
    oldChanges.close();
    await old.close();
    return true;
  }

  async close(): Promise<void> {
    this.changes.close();
    await this.#file.close();
  }
}

async function openIfThere(open: () => Promise<FileHandle>): Promise<FileHandle | undefined> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof ReadProblem) return undefined;
    throw error;
  }
}

interface End {
  over: boolean;
  wake: () => void;
}

function watchEnd({ ended, signal }: FollowRequest): End {
  const end: End = { over: false, wake: () => undefined };
  const finish = () => {
    end.over = true;
    end.wake();
  };
  void ended.then(finish);
  signal.addEventListener('abort', () => end.wake(), { once: true });
  return end;
}

/** Undefined: nobody waits for it any more. */
async function openWhenThere(request: FollowRequest, ended: End): Promise<FileHandle | undefined> {
  for (;;) {
    const last = ended.over;
    const file = last ? await request.open() : await openIfThere(request.open);
    if (file !== undefined) return file;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lookForFile);
      ended.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (request.signal.aborted) return undefined;
  }
}
