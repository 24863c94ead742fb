/** How a container ended, read from the engine. */
import type { EngineClient } from '../engine/client.ts';
import type { Container } from '../engine/schema.ts';
import { wasKilledForMemory } from '../cgroups/kernel-log.ts';
import { shellMessage } from '../command/shell.ts';
import type { RunExit } from '../port.ts';

const logLines = 100;

/** The container is not there any more; nobody knows how it ended (§21.3, the text is matched by users). */
export const vanished: RunExit = {
  exitCode: null,
  outOfMemory: false,
  message: 'Docker container not found',
  startedAt: null,
  finishedAt: null,
  interrupted: true,
};

export function isRunning(container: Container): boolean {
  return container.State.Running || container.State.Status === 'paused';
}

/**
 * Killed, and nobody has said that memory was the cause. The engine learns of the end and of the cause over two ways, and at
 * times (1 of 130 here) notes the end first: its own record then says for ever that memory was not the cause.
 */
export function mayLackCause(exit: RunExit): boolean {
  return exit.exitCode === 137 && !exit.outOfMemory;
}

/** Ended by a signal that ends containers, and not for its memory; 255 is what an engine notes that was not there to see the end. */
export function diesOfSignal(exit: RunExit): boolean {
  return !exit.outOfMemory && exit.message === null && [137, 143, 255].includes(exit.exitCode ?? 0);
}

/** Whoever asks for the end of a run through the worker has no need of this message. */
export function endedFromOutside(exit: RunExit): RunExit {
  const message = `The container was ended from outside the run (exit code ${exit.exitCode}): by the container engine, as it stopped, or by somebody on the machine of the worker.`;
  return { ...exit, message, interrupted: true };
}

/** Whether an exit code explains itself; others may come with words in the container's log. */
export function needsWords(exitCode: number): boolean {
  return exitCode !== 0 && exitCode <= 128;
}

/** Reads how an ended container ended: its log is asked for only where it may say why. */
export async function containerExit(engine: EngineClient, container: Container): Promise<RunExit> {
  const { State: state } = container;
  const log = needsWords(state.ExitCode) ? await engine.containerLog(container.Id, logLines) : '';
  const startedAt = startOf(container);
  const finishedAt = moment(state.FinishedAt);
  return {
    exitCode: state.ExitCode,
    // Podman does not learn of it with control groups of version 1; Docker misses it now and then.
    outOfMemory: (state.OOMKilled ?? false) || (state.ExitCode === 137 && wasKilledForMemory(container.Id)),
    message: explained(shellMessage(state.ExitCode, log || (state.Error ?? ''))),
    startedAt,
    // A command of a moment ends before the engine has noted its start.
    finishedAt: finishedAt !== null && startedAt !== null ? Math.max(finishedAt, startedAt) : finishedAt,
  };
}

/** What a kernel says about programs of another kind of machine explains itself to few. */
function explained(message: string | null): string | null {
  if (message === null || !/exec format error/i.test(message)) {
    return message;
  }
  return `${message.trim()} (the image is made for another kind of processor than this machine has)`;
}

/** Milliseconds since the epoch; null: it never ran. */
export function startOf({ State: state }: Container): number | null {
  return moment(state.StartedAt);
}

/** The engine writes the year 1 for "never". */
function moment(text: string): number | null {
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) || milliseconds <= 0 ? null : milliseconds;
}
