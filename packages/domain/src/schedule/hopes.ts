import type { Line } from './backlog.ts';
import type { Candidates } from './candidates.ts';
import { canRunImage, couldHaveRoom, mayTake, type Asker, type WorkerView } from './pool.ts';

/** The workers that runs of one shape may still hope for. */
export interface Hopes {
  readonly near: readonly WorkerView[];
  readonly common: readonly WorkerView[];
  /** Equal for shapes that hope for the same workers. */
  readonly pool: string;
  /** Somebody waits for one of these workers already. */
  contended: boolean;
  readonly reasons: Map<string, string>;
}

export function hopesOf(
  asker: Asker,
  { request }: Line,
  candidates: Candidates,
  mayUseCommon: boolean,
  rootUserId: string,
): Hopes {
  const isHope = (view: WorkerView): boolean =>
    couldHaveRoom(view, request) &&
    canRunImage(view, request) &&
    mayTake(view, asker, rootUserId) &&
    !asker.avoid.has(view.worker.key);
  const near = candidates.near.filter(isHope);
  const common = mayUseCommon ? candidates.common.filter(isHope) : [];
  const pool = [...near, ...common].map(({ worker }) => worker.key).join('\n');
  return { near, common, pool, contended: false, reasons: new Map() };
}
