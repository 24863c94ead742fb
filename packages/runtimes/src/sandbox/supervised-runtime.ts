/** What runtimes have in common that keep runs under a supervisor: all that is asked about a run once it has started. */
import type { ReachablePort, RecoveredRun, RunExit, RunHandle, RunStatistics } from '../port.ts';
import { SupervisedRuns, type SupervisedRunsOptions } from './supervised-runs.ts';

export abstract class SupervisedRuntime {
  protected readonly runs: SupervisedRuns;

  protected constructor(options: SupervisedRunsOptions) {
    this.runs = new SupervisedRuns(options);
  }

  recover(handle: RunHandle): Promise<RecoveredRun | undefined> {
    return this.runs.recover(handle);
  }

  list(): Promise<RunHandle[]> {
    return this.runs.list();
  }

  wait(handle: RunHandle, signal: AbortSignal): Promise<RunExit> {
    return this.runs.wait(handle, signal);
  }

  stop(handle: RunHandle): Promise<void> {
    return this.runs.stop(handle);
  }

  destroy(handle: RunHandle): Promise<void> {
    return this.runs.destroy(handle);
  }

  statistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.runs.statistics(handle);
  }

  finalStatistics(handle: RunHandle): Promise<RunStatistics | undefined> {
    return this.runs.finalStatistics(handle);
  }

  reach(handle: RunHandle, port: number): Promise<ReachablePort | undefined> {
    return this.runs.reach(handle, port);
  }

  async close(): Promise<void> {
    await this.runs.close();
  }
}
