/* Native transfer: only what the other side lacks travels (see @sheaf/wire, transfer). */
import {
  answerOffer,
  LimitExceededError,
  packFromStore,
  receivePack,
  verifyContents,
  type Entry,
  type OfferedBlob,
} from '@sheaf/trees';
import {
  commitRequest,
  digest as digestShape,
  entry as entryShape,
  fetchRequest,
  offerRequest,
  packContentType,
  SheafError,
} from '@sheaf/wire';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requireBundle } from '../bundles/access.ts';
import { bundleState } from '../bundles/row.ts';
import { discardBody } from '../http/discard-body.ts';
import { sendJson, sendNothing } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { queryOf } from '../http/query.ts';
import { registerRaw } from '../http/raw-body.ts';
import { dropSilentBodies } from '../http/silent-bodies.ts';
import { requireUser } from '../http/viewer.ts';
import type { Execution } from '../runs/execution.ts';
import type { Services } from '../services.ts';
import { commitContents } from './commit.ts';
import type { LinkedEntries } from './linked-entries.ts';
import { ReachableDigests } from './reachable.ts';
import { asRefusal } from './refusals.ts';
import { committedBefore } from './repeated-commit.ts';
import { requireSent } from './require-sent.ts';
import { endLeases, lease, noteSent, sentBlobs, sentSizes } from './senders.ts';
import { storedEntry } from './stored.ts';
import { failureAnswer, recordUploadFailure, uploadFailure } from './upload-failure.ts';
import { epochFrom, requireUploadable, type Uploader } from './upload-rules.ts';

const leaseTime = 24 * 60 * 60 * 1000;
const write = { config: { access: 'user-with-access' }, bodyLimit: 64 * 1024 * 1024 } as const;
const read = { config: { access: 'public-unless-protected' }, bodyLimit: 64 * 1024 * 1024 } as const;

type TransferRequest = FastifyRequest<{ Params: { uuid: string; digest?: string } }>;

export function registerTransferRoutes(app: FastifyInstance, services: Services, execution: Execution): void {
  const { queries } = services.database;
  const readable = { services, reachable: new ReachableDigests(execution.trees), linked: execution.linked };

  app.post('/rest/bundles/:uuid/transfer/offer', write, async (request: TransferRequest, reply) => {
    const uploader = uploaderOf(request);
    const { uuid } = await requireUploadable(queries, uploader, request.params.uuid);
    const offer = parse(offerRequest, request.body);
    const sent = await sentBlobs(
      queries,
      uploader.viewer.id,
      offer.blobs.map(([digest]) => digest),
    );
    const need = await answerOffer(services.store, offer.blobs, {
      scope: uuid,
      mayKnow: (digest) => sent.has(digest),
    });
    const needed = new Set(need.map(([digest]) => digest));
    const here = offer.blobs.map(([digest]) => digest).filter((digest) => !needed.has(digest));
    if (here.length > 0) {
      await services.unitOfWork((unit) => lease(unit, uuid, here, services.clock.now() + leaseTime));
    }
    return sendJson(reply, { need, known_sizes: await sentSizes(queries, uploader.viewer.id, offer.sizes) });
  });

  app.post('/rest/bundles/:uuid/transfer/commit', write, async (request: TransferRequest, reply) => {
    const uploader = uploaderOf(request);
    const { root, finalize } = parse(commitRequest, request.body);
    return sendJson(reply, await commit(services, uploader, request.params.uuid, root, finalize));
  });

  app.post('/rest/bundles/:uuid/transfer/fetch', read, async (request: TransferRequest, reply) => {
    const { digests } = parse(fetchRequest, request.body);
    const allowed = await readableDigests(readable, request);
    const refused = digests.find((digest) => !allowed.has(digest));
    if (refused !== undefined) throw notPart(request.params.uuid, refused);
    return reply.header('content-type', packContentType).send(packFromStore(services.store, digests));
  });

  app.get('/rest/bundles/:uuid/transfer/blobs/:digest', read, async (request: TransferRequest, reply) => {
    const { digest = '' } = request.params;
    const allowed = await readableDigests(readable, request);
    if (!allowed.has(digest)) throw notPart(request.params.uuid, digest);
    const offset = offsetFrom(request.headers.range);
    const size = await services.store.size(digest);
    if (size === undefined) throw new SheafError('not-found', `The server has lost the blob ${digest}.`);
    if (offset > 0)
      reply.code(206).header('content-range', `bytes ${offset}-${Math.max(offset, size - 1)}/${size}`);
    return reply
      .header('content-type', 'application/octet-stream')
      .header('content-length', String(Math.max(0, size - offset)))
      .send(services.store.read(digest, { offset }));
  });

  registerRaw(app, services, (scope) => {
    dropSilentBodies(scope);
    scope.post('/rest/bundles/:uuid/transfer/pack', write, async (request: TransferRequest, reply) => {
      try {
        const uploader = uploaderOf(request);
        const query = queryOf(request);
        const root = rootFrom(query.given('root'));
        const before = root && (await committedBefore(queries, uploader, request.params.uuid, root));
        if (before !== undefined) {
          await discardBody(request.raw);
          return sendJson(reply, before);
        }
        const { uuid } = await requireUploadable(queries, uploader, request.params.uuid);
        const received = await receivePack(services.store, request.raw);
        await services.unitOfWork((unit) => noteSent(unit, uploader.viewer.id, [...received]));
        if (root === undefined) return sendJson(reply, {});
        return sendJson(reply, await commit(services, uploader, uuid, root, query.flag('finalize', true)));
      } catch (error) {
        await discardBody(request.raw);
        throw asRefusal(error);
      }
    });

    scope.put(
      '/rest/bundles/:uuid/transfer/blobs/:digest',
      write,
      async (request: TransferRequest, reply) => {
        try {
          const uploader = uploaderOf(request);
          const { uuid } = await requireUploadable(queries, uploader, request.params.uuid);
          const blob = blobFrom(request);
          const { complete } = await services.store
            .partial(...blob.offered, uuid)
            .append(blob.offset, request.raw);
          if (complete)
            await services.unitOfWork((unit) => noteSent(unit, uploader.viewer.id, [blob.offered]));
          return sendNothing(reply);
        } catch (error) {
          await discardBody(request.raw);
          throw asRefusal(error);
        }
      },
    );
  });
}

function uploaderOf(request: FastifyRequest): Uploader {
  return { viewer: requireUser(request), epoch: epochFrom(request.headers) };
}

/** Everything the root leads to is there, sent by whoever commits it, and on stable storage, before anybody is told. */
async function commit(
  services: Services,
  uploader: Uploader,
  uuid: string,
  root: Entry,
  finalize: boolean,
): Promise<{ data_size: number }> {
  const { store, unitOfWork, clock, log } = services;
  const { queries } = services.database;
  const before = await committedBefore(queries, uploader, uuid, root);
  if (before !== undefined) return before;
  await requireUploadable(queries, uploader, uuid);
  try {
    await requireSent(services, uploader.viewer.id, root);
    await verifyContents(store, root);
    await store.durable();
    const committed = await unitOfWork(async (unit) => {
      const finalState = finalize ? ('ready' as const) : undefined;
      const row = await commitContents(unit, { uploader, uuid, entry: root, finalState }, clock.now());
      await endLeases(unit, uuid);
      return row;
    });
    return { data_size: committed.data_size };
  } catch (error) {
    if (error instanceof SheafError && error.code !== 'quota-exceeded') throw error;
    const failure = uploadFailure(error);
    if (!failure.usersFault) throw error;
    // A transfer that lacks something may go on; one that is too big ends here.
    const hopeless = error instanceof SheafError || error instanceof LimitExceededError;
    if (hopeless) {
      log.info({ bundle: uuid, reason: failure.message }, 'contents were refused');
      await unitOfWork((unit) =>
        recordUploadFailure(unit, uuid, failure, { finalizeOnFailure: true }, clock.now()),
      );
    }
    throw hopeless ? failureAnswer(failure, error) : asRefusal(error);
  }
}

async function readableDigests(
  { services, reachable, linked }: { services: Services; reachable: ReachableDigests; linked: LinkedEntries },
  request: TransferRequest,
): Promise<ReadonlySet<string>> {
  const bundle = await requireBundle(services.database.queries, request.viewer, request.params.uuid, 'read');
  const stored = storedEntry(bundle);
  const roots = stored === undefined ? linked.roots(bundle.uuid) : [stored];
  if (roots.length === 0) {
    throw new SheafError('not-found', `Bundle ${bundle.uuid} has no contents; it is ${bundleState(bundle)}.`);
  }
  const sets = await Promise.all(roots.map((root) => reachable.below(root)));
  const [only] = sets;
  return only !== undefined && sets.length === 1 ? only : new Set(sets.flatMap((set) => [...set]));
}

function notPart(uuid: string, digest: string): SheafError {
  return new SheafError('not-found', `${digest} is no part of bundle ${uuid}.`);
}

function rootFrom(text: string | undefined): Entry | undefined {
  if (text === undefined) return undefined;
  try {
    return parse(entryShape, JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new SheafError('invalid-json', 'root must be a JSON entry.', { cause: error });
    throw error;
  }
}

function blobFrom(request: TransferRequest): { offered: OfferedBlob; offset: number } {
  const digest = digestShape.safeParse(request.params.digest);
  const offset = queryOf(request).integer('offset') ?? 0;
  const length = Number(request.headers['content-length']);
  if (!digest.success) throw new SheafError('invalid-request', 'A blob is named by its SHA-256.');
  if (offset < 0 || !Number.isSafeInteger(length)) {
    throw new SheafError('invalid-request', 'Content-Length says how many bytes follow the offset.');
  }
  return { offered: [digest.data, offset + length], offset };
}

function offsetFrom(range: string | undefined): number {
  if (range === undefined) return 0;
  const offset = Number(/^bytes=(\d+)-$/.exec(range)?.[1]);
  if (!Number.isSafeInteger(offset)) throw new SheafError('invalid-request', "Range must be 'bytes=START-'.");
  return offset;
}
