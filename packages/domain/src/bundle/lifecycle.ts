import { isUploadedType } from './metadata-key.ts';
import type { BundleState, BundleType } from './states.ts';

/*
 * The life of bundles: ONE table of legal moves (bundles.md §6, execution.md §10). Whoever changes a state asks here; a move
 * that is not listed does not happen.
 */

/** Why a bundle moves. */
export type MoveCause =
  | 'created'
  | 'linked'
  | 'upload finished'
  | 'upload failed'
  | 'parents ready'
  | 'parents unusable'
  | 'killed'
  | 'stuck'
  | 'limits exceeded'
  | 'restarted too often'
  | 'make started'
  | 'make finished'
  | 'make failed'
  | 'make interrupted'
  | 'assigned'
  | 'start lost'
  | 'start granted'
  | 'reported'
  | 're-attached'
  | 'given back'
  | 'worker lost'
  | 'finalized';

export interface Move {
  /** Null for a bundle that does not exist yet. */
  readonly from: BundleState | null;
  readonly to: BundleState;
  readonly cause: MoveCause;
}

function move(from: BundleState | null, to: BundleState, cause: MoveCause): Move {
  return { from, to, cause };
}

/** Every type can be copied from another server, and then waits for its contents (bundles.md §12.13). */
const uploading = [
  move(null, 'uploading', 'created'),
  move('uploading', 'ready', 'upload finished'),
  move('uploading', 'failed', 'upload finished'),
  move('uploading', 'killed', 'upload finished'),
  move('uploading', 'failed', 'upload failed'),
  move('uploading', 'failed', 'stuck'),
  move('uploading', 'killed', 'killed'),
];

const uploaded = [...uploading, move(null, 'ready', 'linked')];

const staging = [
  move(null, 'created', 'created'),
  move('created', 'staged', 'parents ready'),
  move('created', 'failed', 'parents unusable'),
  move('created', 'killed', 'killed'),
  // A parent was deleted by force meanwhile.
  move('staged', 'failed', 'parents unusable'),
  move('staged', 'failed', 'stuck'),
  move('staged', 'killed', 'killed'),
];

const make = [
  ...uploading,
  ...staging,
  move('staged', 'making', 'make started'),
  move('making', 'ready', 'make finished'),
  move('making', 'failed', 'make failed'),
  move('making', 'staged', 'make interrupted'),
  move('making', 'killed', 'killed'),
];

const run = [
  ...uploading,
  ...staging,
  move('staged', 'failed', 'limits exceeded'),
  move('staged', 'failed', 'restarted too often'),
  move('staged', 'starting', 'assigned'),
  move('staged', 'preparing', 're-attached'),
  move('staged', 'running', 're-attached'),
  move('staged', 'finalizing', 're-attached'),
  move('starting', 'staged', 'start lost'),
  move('starting', 'staged', 'given back'),
  move('starting', 'killed', 'killed'),
  move('starting', 'preparing', 'start granted'),
  move('starting', 'preparing', 'reported'),
  move('starting', 'running', 'reported'),
  move('starting', 'finalizing', 'reported'),
  move('preparing', 'running', 'reported'),
  move('preparing', 'finalizing', 'reported'),
  move('preparing', 'staged', 'given back'),
  move('preparing', 'staged', 'worker lost'),
  move('preparing', 'worker_offline', 'worker lost'),
  move('running', 'finalizing', 'reported'),
  move('running', 'staged', 'given back'),
  move('running', 'staged', 'worker lost'),
  move('running', 'worker_offline', 'worker lost'),
  move('running', 'failed', 'stuck'),
  move('finalizing', 'ready', 'finalized'),
  move('finalizing', 'failed', 'finalized'),
  move('finalizing', 'killed', 'finalized'),
  move('finalizing', 'staged', 'given back'),
  move('finalizing', 'staged', 'worker lost'),
  move('finalizing', 'worker_offline', 'worker lost'),
  move('worker_offline', 'preparing', 're-attached'),
  move('worker_offline', 'running', 're-attached'),
  move('worker_offline', 'finalizing', 're-attached'),
  move('worker_offline', 'staged', 'given back'),
  move('worker_offline', 'killed', 'killed'),
];

const moves: Readonly<Record<BundleType, readonly Move[]>> = {
  dataset: uploaded,
  program: uploaded,
  make,
  run,
};

/** All legal moves of a type. */
export function legalMoves(type: BundleType): readonly Move[] {
  return moves[type];
}

/** Whether a bundle may go from one state (null: it is new) to another, for the given cause or for any. */
export function mayMove(
  type: BundleType,
  from: BundleState | null,
  to: BundleState,
  cause?: MoveCause,
): boolean {
  return moves[type].some(
    (legal) => legal.from === from && legal.to === to && (cause === undefined || legal.cause === cause),
  );
}

/** The states a bundle may be in when it moves to `to` for `cause`: the condition of the update that moves it. */
export function statesBefore(type: BundleType, to: BundleState, cause: MoveCause): BundleState[] {
  return moves[type].flatMap((legal) =>
    legal.to === to && legal.cause === cause && legal.from !== null ? [legal.from] : [],
  );
}

/** The state of a new bundle (bundles.md §5.1). */
export function initialState(
  type: BundleType,
  options: { linkUrl?: string | null; waitForUpload?: boolean },
): BundleState {
  if (
    isUploadedType(type) &&
    options.linkUrl !== undefined &&
    options.linkUrl !== null &&
    options.linkUrl !== ''
  ) {
    return 'ready';
  }
  return isUploadedType(type) || options.waitForUpload === true ? 'uploading' : 'created';
}
