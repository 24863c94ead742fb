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

/** @throws ReadProblem when the command ends without having made the file */
export async function* follow(request: FollowRequest): AsyncGenerator<Uint8Array> {
  const ended = watchEnd(request);
  const file = await openWhenThere(request, ended);
  if (file === undefined) return;
  const changes = new Changes(file);
  ended.wake = () => changes.happen();
  try {
    let position = request.offset;
    for (;;) {
      // Looked at before reading: what was written before the end is then read, too.
      const last = ended.over;
      for (;;) {
        if (request.signal.aborted) return;
        const buffer = Buffer.allocUnsafeSlow(pieceSize);
        const { bytesRead } = await file.read(buffer, 0, pieceSize, position);
        if (bytesRead === 0) break;
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
      if (last) return;
      await changes.next();
    }
  } finally {
    changes.close();
    await file.close();
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
    try {
      return await request.open();
    } catch (error) {
      if (last || !(error instanceof ReadProblem)) throw error;
    }
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
