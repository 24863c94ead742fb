/* Answers workers that ask for leave to start runs: those that ask in the same moment together. */
import type { StartBundleRequest } from '@sheaf/wire';
import { Gathering } from '../gathering.ts';
import { startRuns } from '../runs/start.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Services } from '../services.ts';
import { findWorkers } from './register.ts';
import { workerKeyText, type WorkerKey } from './worker-key.ts';

interface Question {
  readonly worker: WorkerKey;
  readonly uuid: string;
  readonly request: StartBundleRequest;
}

export class StartQuestions {
  readonly #gathering: Gathering<Question, boolean>;

  constructor({
    unitOfWork,
    clock,
    log,
    database,
  }: Pick<Services, 'unitOfWork' | 'clock' | 'log' | 'database'>) {
    this.#gathering = new Gathering<Question, boolean>({
      atOnce: database.batchesAtOnce,
      keys: ({ uuid }) => [uuid],
      together: (questions) => unitOfWork((unit) => answer(unit, questions, clock.now())),
      alone: async (question) => {
        const [granted] = await unitOfWork((unit) => answer(unit, [question], clock.now()));
        return granted ?? false;
      },
      failed: (error) => log.debug({ err: error }, 'questions of workers are answered one by one'),
    });
  }

  /** Whether the run is the worker's to start, once that is committed. */
  ask(question: Question): Promise<boolean> {
    return this.#gathering.add(question);
  }
}

async function answer(unit: UnitOfWork, questions: readonly Question[], now: number): Promise<boolean[]> {
  const rows = await findWorkers(
    unit,
    questions.map(({ worker }) => worker),
  );
  return await startRuns(
    unit,
    questions.map(({ worker, ...question }) => {
      const row = rows.get(workerKeyText(worker));
      const named = { ...worker, hostname: row?.hostname ?? null, preemptible: row?.preemptible === 1 };
      return { ...question, worker: named };
    }),
    now,
  );
}
