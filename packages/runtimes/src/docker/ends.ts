/**
 * Ends of containers as the engine's events tell them: some 60 ms before it answers anything else about the container, because
 * it first takes the container's network apart.
 *
 * Only what was heard from its start on counts: an event that came while nobody listened may have been the one that says
 * why the container was killed.
 */
import { EventEmitter } from 'node:events';
import { assertNever } from '@sheaf/domain';
import type { ContainerEvent } from '../engine/schema.ts';
import type { RunExit } from '../port.ts';
import { diesOfSignal, endedFromOutside, mayLackCause, needsWords } from './exit.ts';

interface Life {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  outOfMemory: boolean;
  /** The engine was asked to end it, by whom it does not say. */
  killed: boolean;
  end: { readonly exitCode: number; readonly finishedAt: number } | undefined;
}

export class ContainerEnds {
  readonly #lives = new Map<string, Life>();
  readonly #told = new EventEmitter<Record<string, [RunExit]>>().setMaxListeners(0);

  hear({ Action: action, Actor: { ID: container, Attributes }, timeNano }: ContainerEvent): void {
    const moment = Math.floor(timeNano / 1e6);
    const life = this.#lives.get(container);
    switch (action) {
      case 'start':
        this.#lives.set(container, { startedAt: moment, outOfMemory: false, killed: false, end: undefined });
        return;
      case 'oom':
        if (life) {
          life.outOfMemory = true;
        }
        break;
      case 'kill':
        if (life) {
          life.killed = true;
        }
        break;
      case 'die':
        if (life && Attributes.exitCode !== undefined) {
          life.end = { exitCode: Attributes.exitCode, finishedAt: Math.max(moment, life.startedAt) };
        }
        break;
      case 'destroy':
        this.forget(container);
        return;
      default:
        assertNever(action);
    }
    const exit = this.exitOf(container);
    if (exit) {
      this.#told.emit(container, exit);
    }
  }

  /** Events may have been missed: of what still ran, nothing is known any more. */
  interrupted(): void {
    for (const [container, life] of this.#lives) {
      if (exitFrom(life) === undefined) {
        this.#lives.delete(container);
      }
    }
  }

  /** Whether everything about the container was heard so far. */
  follows(container: string): boolean {
    return this.#lives.has(container);
  }

  /** How a container ended; undefined where the events have not told all of it. */
  exitOf(container: string): RunExit | undefined {
    const life = this.#lives.get(container);
    return life && exitFrom(life);
  }

  /** Resolves when `exitOf` has an answer. Where that never comes it never settles, and costs nothing once aborted. */
  told(container: string, signal: AbortSignal): Promise<RunExit> {
    return new Promise((resolve) => {
      const exit = this.exitOf(container);
      if (exit) {
        resolve(exit);
        return;
      }
      this.#told.once(container, resolve);
      signal.addEventListener('abort', () => this.#told.off(container, resolve), { once: true });
    });
  }

  forget(container: string): void {
    this.#lives.delete(container);
  }
}

/** Only what needs no words of the container's log: the engine gives no log before it has cleaned up either. */
function exitFrom({ startedAt, outOfMemory, killed, end }: Life): RunExit | undefined {
  if (end === undefined || needsWords(end.exitCode)) {
    return undefined;
  }
  const exit = { exitCode: end.exitCode, outOfMemory, message: null, startedAt, finishedAt: end.finishedAt };
  if (killed && diesOfSignal(exit)) {
    return endedFromOutside(exit);
  }
  return mayLackCause(exit) ? undefined : exit;
}
