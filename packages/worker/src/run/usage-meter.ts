/** What a run uses, from one reading to the next: totals that never fall, what is in use now, and the samples of its series. */
import type { UsageSample } from '@sheaf/domain';
import type { RunStatistics } from '@sheaf/runtimes';
import type { RunRecord } from './record.ts';

interface Count {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Seconds of processor time until then. */
  readonly cpu: number;
}

export class UsageMeter {
  readonly #record: Pick<RunRecord, 'startedAt' | 'usage'>;
  /** The counts that cores are measured from: at the reading before, and at the sample before. */
  #reading: Count | undefined;
  #sample: Count | undefined;
  /** A run that an earlier process has watched: what it used until now was used at some other time. */
  readonly #adopted: boolean;
  /** Cores in use at the last reading, and bytes; null: not known. */
  cores: number | null = null;
  memory: number | null = null;

  constructor(record: Pick<RunRecord, 'startedAt' | 'usage'>, options: { adopted: boolean }) {
    this.#record = record;
    this.#adopted = options.adopted;
  }

  /** Takes a reading of the running command. */
  read(statistics: RunStatistics, at: number): void {
    this.#raise(statistics);
    const before = this.#reading ?? this.#start();
    this.#reading = { at, cpu: this.#cpu };
    this.cores = coresBetween(before, this.#reading) ?? this.cores;
    this.memory = statistics.memory;
  }

  /** Takes what a command that has ended has used in all: nothing of it is in use any more, but what was counts. */
  end(statistics: RunStatistics, at: number): void {
    this.#raise(statistics);
    this.cores ??= coresBetween(this.#start(), { at, cpu: this.#cpu });
    this.memory ??= this.#record.usage.memoryMax || null;
  }

  /** One point of the series, later than the one before. */
  sample(at: number): UsageSample {
    const { cpuUser, cpuSystem, disk } = this.#record.usage;
    const before = this.#sample ?? this.#start();
    const now = { at: Math.max(at, (this.#sample?.at ?? 0) + 1), cpu: this.#cpu };
    this.#sample = now;
    return {
      at: now.at,
      cpu: coresBetween(before, now),
      memory: this.memory,
      disk,
      user: cpuUser,
      system: cpuSystem,
    };
  }

  get #cpu(): number {
    const { cpuUser, cpuSystem } = this.#record.usage;
    return cpuUser + cpuSystem;
  }

  /** A command begins with nothing. */
  #start(): Count | undefined {
    const { startedAt } = this.#record;
    return startedAt === null || this.#adopted ? undefined : { at: startedAt, cpu: 0 };
  }

  #raise({ cpuUser, cpuSystem, memoryMax }: RunStatistics): void {
    const { usage } = this.#record;
    usage.cpuUser = Math.max(usage.cpuUser, cpuUser);
    usage.cpuSystem = Math.max(usage.cpuSystem, cpuSystem);
    usage.memoryMax = Math.max(usage.memoryMax, memoryMax);
  }
}

function coresBetween(before: Count | undefined, now: Count): number | null {
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1000;
  return before === undefined || seconds <= 0 ? null : Math.max(0, (now.cpu - before.cpu) / seconds);
}
