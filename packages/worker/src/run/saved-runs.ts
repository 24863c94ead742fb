/** Run records on disk, one file a run, written so that a crash never leaves half of one. */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { writeWhole } from '../files.ts';
import type { Log } from '../log.ts';
import { StartProblem } from '../settings/settings.ts';
import { recordVersion, runRecord, type RunRecord } from './record.ts';

/** Milliseconds in which changes that nobody waits for gather: most runs of a moment never need another write. */
const leisure = 100;

const versioned = z.object({ version: z.int() });

interface Pending {
  text: string;
  readonly saved: Promise<void>;
}

export class SavedRuns {
  readonly #directory: string;
  readonly #log: Log;
  /** The last write of each run, running or done. */
  readonly #writing = new Map<string, Promise<void>>();
  /** What is to be written after it. */
  readonly #pending = new Map<string, Pending>();
  /** Saves that are about to begin. */
  readonly #soon = new Map<string, { readonly timer: NodeJS.Timeout; readonly save: () => Promise<void> }>();

  private constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  static async open(directory: string, log: Log): Promise<SavedRuns> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new SavedRuns(directory, log);
  }

  /**
   * All runs that were held. Files that cannot be read are put aside, so that they do no harm and can be looked at.
   * @throws StartProblem a newer worker has saved some: this one would lose them
   */
  async load(): Promise<RunRecord[]> {
    const records: RunRecord[] = [];
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      if (name.endsWith('.tmp')) await rm(path, { force: true });
      if (!name.endsWith('.json')) continue;
      try {
        const saved: unknown = JSON.parse(await readFile(path, 'utf8'));
        this.#refuseNewer(saved);
        records.push(runRecord.parse(saved));
      } catch (error) {
        if (error instanceof StartProblem) throw error;
        this.#log.error({ path, error: messageOf(error) }, 'the record of a run cannot be read');
        await rename(path, `${path}.unreadable`);
      }
    }
    return records;
  }

  #refuseNewer(saved: unknown): void {
    const { version } = versioned.safeParse(saved).data ?? { version: 0 };
    if (version <= recordVersion) return;
    throw new StartProblem(
      `A newer version of this worker has left runs in ${this.#directory} (format ${version}, this one knows ${recordVersion}): start that version to go on with them, or this one with another --work-dir.`,
    );
  }

  /** Returns once the record as it is now is on disk. Calls made while one is being written share the next write. */
  save(record: RunRecord): Promise<void> {
    this.#forgetSoon(record.uuid);
    const text = JSON.stringify(record);
    const pending = this.#pending.get(record.uuid);
    if (pending !== undefined) {
      pending.text = text;
      return pending.saved;
    }
    const before = this.#writing.get(record.uuid) ?? Promise.resolve();
    const saved = this.#writeAfter(before, record.uuid);
    this.#pending.set(record.uuid, { text, saved });
    this.#writing.set(record.uuid, saved);
    return saved;
  }

  /** Calls `save` a moment later, unless the record has been saved by then. */
  saveSoon({ uuid }: RunRecord, save: () => Promise<void>): void {
    if (this.#soon.has(uuid)) return;
    this.#soon.set(uuid, { timer: setTimeout(() => void save(), leisure).unref(), save });
  }

  #forgetSoon(uuid: string): void {
    clearTimeout(this.#soon.get(uuid)?.timer);
    this.#soon.delete(uuid);
  }

  /** Forgets a run, after what is being written about it. */
  async remove(uuid: string): Promise<void> {
    this.#forgetSoon(uuid);
    this.#pending.delete(uuid);
    await Promise.allSettled([this.#writing.get(uuid)]);
    this.#writing.delete(uuid);
    await rm(this.#path(uuid), { force: true });
  }

  /** Waits for everything that is being written. */
  async settle(): Promise<void> {
    for (const { save } of this.#soon.values()) void save();
    await Promise.allSettled(this.#writing.values());
  }

  async #writeAfter(before: Promise<void>, uuid: string): Promise<void> {
    await Promise.allSettled([before]);
    const pending = this.#pending.get(uuid);
    if (pending === undefined) return;
    this.#pending.delete(uuid);
    await writeWhole(this.#path(uuid), pending.text);
  }

  #path(uuid: string): string {
    return join(this.#directory, `${uuid}.json`);
  }
}
