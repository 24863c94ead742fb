import { isUploadedType, type Metadata } from './metadata-key.ts';
import type { BundleState, BundleType } from './states.ts';

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

/**
 * Where a bundle stands, in a sentence (bundles.md §1.1). Null when the worker or the scheduler should have said
 * something and has not; empty for combinations that do not occur, and for legacy programs.
 */
export function stateDetails(type: BundleType, state: BundleState, metadata: Metadata): string | null {
  if (state === 'staged') return textOf(metadata['staged_status']);
  if (state === 'preparing' || state === 'running') return textOf(metadata['run_status']);
  if (type === 'program') return '';
  const sentences = isUploadedType(type) ? dataset : type === 'make' ? make : run;
  return sentences[state] ?? '';
}

function textOf(value: Metadata[string] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
