/** Waits until an open file may have grown: told by the kernel, and looked at now and then where the kernel does not tell. */
import { watch, type FSWatcher } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** Milliseconds. Filesystems that other machines write to tell nothing. */
const lookAgain = { told: 1000, untold: 200 };

export class Changes {
  readonly #watcher: FSWatcher | undefined;
  #happened = false;
  #wake: (() => void) | undefined;

  constructor(file: FileHandle) {
    this.#watcher = startWatching(file, () => this.happen());
  }

  /** Something has changed, or the waiting is over for another reason. */
  happen(): void {
    this.#happened = true;
    this.#wake?.();
  }

  /** Returns after the next change since the last call, or when it is time to look anyway. */
  async next(): Promise<void> {
    if (!this.#happened) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#watcher === undefined ? lookAgain.untold : lookAgain.told);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#happened = false;
  }

  close(): void {
    this.#watcher?.close();
    this.happen();
  }
}

/** Undefined where the system cannot watch, or has no watches left. */
function startWatching(file: FileHandle, changed: () => void): FSWatcher | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    // The open file itself, not its path: that may be another file by now.
    const watcher = watch(`/proc/self/fd/${file.fd}`, { persistent: false }, changed);
    watcher.on('error', changed);
    return watcher;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
