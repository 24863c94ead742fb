/**
 * Named pipes made ahead, because only a program of its own can make one: many at a time cost as much as one that each run's supervisor
 * makes for itself. Nothing is lost with the stock: a supervisor that finds no pipe makes one.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isErrno } from '../files/errno.ts';

const execute = promisify(execFile);

const atOnce = 64;

/** Makes named pipes that only their owner may open. Rejects where that cannot be done. */
export type MakePipes = (paths: readonly string[]) => Promise<unknown>;

const makePipes: MakePipes = (paths) => execute('mkfifo', ['-m', '600', ...paths]);

export class PipeStock {
  readonly #directory: string;
  readonly #make: MakePipes;
  /** Undefined: nobody has looked yet what an earlier process has left. */
  #names: string[] | undefined;
  #making: Promise<void> | undefined;

  /** @param directory on the file system of the runs; made where it is missing, and given to nobody else */
  constructor(directory: string, make = makePipes) {
    this.#directory = directory;
    this.#make = make;
  }

  /** Puts a pipe at a path where none is, if there is one in stock; else the next ones will find some. */
  place(path: string): void {
    this.#names ??= this.#left();
    for (let name = this.#names.pop(); name !== undefined; name = this.#names.pop()) {
      try {
        renameSync(join(this.#directory, name), path);
        return;
      } catch (error) {
        // Another object of the same worker was first.
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
    this.#making ??= this.#fill();
  }

  /** Resolves when none are being made. */
  async settled(): Promise<void> {
    await this.#making;
  }

  /** Nothing is left of what nobody will want any more; whoever comes next makes its own. */
  async close(): Promise<void> {
    await this.#making;
    this.#names = [];
    this.#making = Promise.resolve();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #left(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async #fill(): Promise<void> {
    const names = Array.from({ length: atOnce }, () => randomUUID());
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      await this.#make(names.map((name) => join(this.#directory, name)));
    } catch {
      // Supervisors make their own, and say what is wrong where they cannot either.
      return;
    }
    this.#names?.push(...names);
    this.#making = undefined;
  }
}
