import { isUploadedType, type Metadata } from './metadata-key.ts';
import { finalStates, type BundleState, type BundleType } from './states.ts';

type Sentences = Readonly<Partial<Record<BundleState, string>>>;

const dataset: Sentences = {
  uploading: 'The contents are on their way to the server.',
  ready: 'The contents are stored and will not change.',
  failed: 'The upload did not succeed.',
  killed: 'The upload was stopped.',
};

const derived: Sentences = {
  uploading: 'The contents are being copied from another server.',
  created: 'Waiting until all dependencies are ready.',
};

const make: Sentences = {
  ...derived,
  making: 'The server is putting the parts together.',
  ready: 'The parts are put together; the contents will not change.',
  failed: 'The parts could not be put together.',
  killed: 'Making the bundle was stopped.',
};

const run: Sentences = {
  ...derived,
  starting: 'A worker was chosen and is about to take the run.',
  finalizing: 'The command has ended and the results are being settled.',
  ready: 'The command succeeded and its results are stored.',
  failed: 'The command did not succeed.',
  killed: 'The run was stopped on request.',
  worker_offline: 'The worker that has the run does not answer; the run goes on when it returns.',
};

/** A parent as the viewer knows it; name and state null where it may not be read or is not there. */
export interface KnownParent {
  uuid: string;
  name: string | null;
  state: string | null;
}

/**
 * Where a bundle stands, in a sentence (bundles.md §1.1). Null when the worker or the scheduler should have said
 * something and has not; empty for combinations that do not occur, and for legacy programs.
 */
export function stateDetails(
  type: BundleType,
  state: BundleState,
  metadata: Metadata,
  parents: readonly KnownParent[] = [],
): string | null {
  if (state === 'staged') return textOf(metadata['staged_status']);
  if (state === 'preparing' || state === 'running') return textOf(metadata['run_status']);
  if (type === 'program') return '';
  const sentences = isUploadedType(type) ? dataset : type === 'make' ? make : run;
  const sentence = sentences[state] ?? '';
  if (state === 'created') return waitingForParents(parents) ?? sentence;
  // Both say in `run_status` which worker it is about.
  const held = type === 'run' && (state === 'starting' || state === 'worker_offline');
  return (held ? textOf(metadata['run_status']) : null) ?? sentence;
}

const mostParents = 3;

/** Which dependencies are not there yet and what they do meanwhile; undefined where all are settled. */
function waitingForParents(parents: readonly KnownParent[]): string | undefined {
  const unsettled = new Map(
    parents
      .filter(({ state }) => !(finalStates as readonly (string | null)[]).includes(state))
      .map((parent) => [parent.uuid, parent]),
  );
  if (unsettled.size === 0) return undefined;
  const named = [...unsettled.values()].slice(0, mostParents).map(parentText);
  const more = unsettled.size - named.length;
  return `Waiting for ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`;
}

function parentText({ uuid, name, state }: KnownParent): string {
  const short = uuid.slice(0, 8);
  return name === null || state === null
    ? `${short} (which you may not read)`
    : `${name}(${short}) (${state})`;
}

function textOf(value: Metadata[string] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
