/* `PUT /rest/bundles/<uuid>/contents/blob/` from its first check to its last (rest-api.md §20). */
import { finalStates, type FinalState } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { IncomingMessage } from 'node:http';
import { addLocation } from '../bundles/locations.ts';
import { requireStoreByName } from '../bundles/stores.ts';
import type { BundleRow } from '../bundles/transition.ts';
import type { Query } from '../http/query.ts';
import type { Services } from '../services.ts';
import { commitContents, dropContents, roomFor } from './commit.ts';
import { linkOf } from './linked.ts';
import { receiveContents, type UploadSource } from './receive.ts';
import { noteSent } from './senders.ts';
import { failureAnswer, recordUploadFailure, uploadFailure } from './upload-failure.ts';
import { requireUploadable, type Uploader } from './upload-rules.ts';

export interface UploadRequest {
  readonly uuid: string;
  readonly uploader: Uploader;
  readonly query: Query;
  readonly body: IncomingMessage;
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
}

interface Plan {
  readonly bundle: BundleRow;
  /** Undefined: only the state is set. */
  readonly source: UploadSource | undefined;
  readonly unpack: boolean;
  readonly finalState: FinalState | undefined;
  readonly finalizeOnFailure: boolean;
  readonly storeUuid: string | undefined;
}

/**
 * Whatever is refused, the caller reads the body to its end before it says so.
 * @throws SheafError
 */
export async function upload(services: Services, request: UploadRequest): Promise<void> {
  const plan = await check(services, request);
  const { uuid, uploader } = request;
  const { bundle, source, finalState } = plan;
  const now = services.clock.now();
  if (source === undefined) {
    await services.unitOfWork((unit) =>
      commitContents(unit, { uploader, uuid, entry: undefined, finalState }, now),
    );
    return;
  }
  const room = await services.unitOfWork(async (unit) => {
    await dropContents(unit, bundle, now);
    return await roomFor(unit, { ...bundle, data_size: 0 });
  });
  try {
    const entry = await receiveContents(services, source, {
      unpack: plan.unpack,
      room,
      signal: request.signal,
    });
    await services.unitOfWork(async (unit) => {
      await commitContents(unit, { uploader, uuid, entry, finalState }, services.clock.now());
      // The same file again is then recognised, and does not travel.
      if (entry.kind === 'file') await noteSent(unit, uploader.viewer.id, [[entry.digest, entry.size]]);
      if (plan.storeUuid === undefined) return;
      await addLocation(unit, { bundle: uuid, store: plan.storeUuid, isDirectory: entry.kind === 'tree' });
    });
  } catch (error) {
    // Somebody killed, deleted or re-assigned it meanwhile: that decides, not this upload.
    if (error instanceof SheafError && [403, 404, 409].includes(error.status)) throw error;
    const failure = uploadFailure(error);
    if (!failure.usersFault) services.log.error({ err: error, bundle: uuid }, 'an upload failed');
    await services.unitOfWork((unit) => recordUploadFailure(unit, uuid, failure, plan, services.clock.now()));
    throw failureAnswer(failure, error);
  }
}

async function check(services: Services, { uuid, uploader, query, body }: UploadRequest): Promise<Plan> {
  const { queries } = services.database;
  const bundle = await requireUploadable(queries, uploader, uuid);
  const storeName = query.text('store') ?? '';
  const store =
    storeName === '' ? undefined : await requireStoreByName(queries, uploader.viewer.id, storeName);
  return {
    bundle,
    source: linkOf(bundle) === undefined ? sourceOf(query, body) : undefined,
    unpack: query.flag('unpack', true),
    finalState: query.flag('finalize_on_success', true) ? stateOnSuccess(query) : undefined,
    finalizeOnFailure: query.flag('finalize_on_failure', false),
    storeUuid: store?.uuid,
  };
}

/** A body that has a name wins over a URL. */
function sourceOf(query: Query, body: IncomingMessage): UploadSource | undefined {
  const filename = query.text('filename') ?? '';
  if (filename !== '') return { kind: 'body', filename, stream: body };
  const urls = query.list('urls').filter((url) => url !== '');
  const [url] = urls;
  if (url === undefined) return undefined;
  if (urls.length > 1) throw new SheafError('invalid-request', 'One URL can be uploaded at a time.');
  return { kind: query.flag('git', false) ? 'git' : 'url', url };
}

function stateOnSuccess(query: Query): FinalState {
  const text = query.text('state_on_success') ?? 'ready';
  const state = finalStates.find((known) => known === text);
  if (state !== undefined) return state;
  throw new SheafError(
    'invalid-request',
    `state_on_success must be one of ${finalStates.join(', ')}, was ${text}`,
  );
}
