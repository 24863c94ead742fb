/** Ctrl-C: what has been begun is ended properly first, then the program ends with code 130 (cli.md §2.2). */

export interface Interrupts {
  /** Runs `work`; if the user interrupts it, `cleanUp` is called, and waited for a moment, before the program ends. */
  during<Result>(cleanUp: () => Promise<void>, work: () => Promise<Result>): Promise<Result>;
}

/** Milliseconds that cleaning up may take. */
const patience = 5000;

/** @param end says good-bye and ends the process. */
export function listenForInterrupts(end: () => void): Interrupts {
  const pending = new Set<() => Promise<void>>();
  let ending = false;
  const finish = async (): Promise<void> => {
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, patience));
    // Whether the server could still be told makes no difference to how the program ends.
    await Promise.race([Promise.allSettled([...pending].map((cleanUp) => cleanUp())), deadline]);
    end();
  };
  process.on('SIGINT', () => {
    // A second Ctrl-C does not wait.
    if (ending || pending.size === 0) return end();
    ending = true;
    void finish();
  });
  return {
    async during(cleanUp, work) {
      pending.add(cleanUp);
      try {
        return await work();
      } finally {
        pending.delete(cleanUp);
      }
    },
  };
}
