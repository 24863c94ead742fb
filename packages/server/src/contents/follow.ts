/*
 * Follows a file of a run: its bytes as they are written, until the run is final. While it runs they come from the worker, then from
 * the store; the position is counted here, so that no byte is lost or comes twice.
 */
import { finalStates, isFinal, matchDependency } from '@sheaf/domain';
import { SheafError, type ReadArguments } from '@sheaf/wire';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { pipeline } from 'node:stream';
import type { AnyQueries } from '../accounts/users.ts';
import { requireBundle } from '../bundles/access.ts';
import { bundleState } from '../bundles/row.ts';
import { watchBundle } from '../events/waiting.ts';
import { ask, bytesOf, RunGoneError, WorkerRefusedError, type Holder } from '../workers/questions.ts';
import { holderOfRun } from './holder.ts';
import { readLinkedFile } from './linked.ts';
import { locate, type Located, type LocateContext } from './locate.ts';
import { z } from 'zod';

/** Workers that cannot push are asked this often, in milliseconds. */
const pollInterval = 1_000;
const idleInterval = 30_000;
const sectionLength = 1024 * 1024;

export interface FollowRequest {
  readonly uuid: string;
  readonly path: string;
  readonly offset: number;
}

/**
 * Looks whether there is something to follow, or may come. Answers where it is, if it is not on a worker.
 * @throws SheafError `not-found` where a final bundle has nothing there; `invalid-request` for what is no file
 */
export async function findFollowed(
  context: LocateContext,
  request: FollowRequest,
): Promise<Located | undefined> {
  const { queries } = context.services.database;
  const bundle = await requireBundle(queries, context.viewer, request.uuid, 'read');
  const isOver = isFinal(bundleState(bundle));
  // A worker need not be asked for what can only be the run's own.
  if (!isOver && !(await mayBeInput(queries, request))) return undefined;
  const stored = await locateStored(context, request);
  if (stored === undefined && isOver) {
    throw new SheafError('not-found', `Bundle ${request.uuid} has no file ${request.path}.`);
  }
  return stored;
}

async function mayBeInput(queries: AnyQueries, { uuid, path }: FollowRequest): Promise<boolean> {
  const dependencies = await queries
    .selectFrom('dependency')
    .selectAll()
    .where('child_uuid', '=', uuid)
    .execute();
  return matchDependency(path, dependencies) !== undefined;
}

/**
 * @param found what `findFollowed` has answered
 * @throws SheafError where the bundle is gone, or unreadable meanwhile
 */
export async function* follow(
  context: LocateContext,
  request: FollowRequest,
  found: Located | undefined,
): AsyncGenerator<Buffer, undefined> {
  // Inputs do not change, even while the run does.
  if (found !== undefined) return yield* readRest(context, found, request.offset);
  const { services, signal } = context;
  const watch = watchBundle(services, services.clock, request.uuid, signal);
  // Whoever has the run need not be waited for once it is final.
  const final = new AbortController();
  const stopListening = services.events.on('bundle.changed', ({ uuid, state }) => {
    if (uuid === request.uuid && finalStates.some((known) => known === state)) final.abort();
  });
  const asking = { ...context, patience: AbortSignal.any([signal, final.signal]) };
  let position = request.offset;
  try {
    for (;;) {
      signal.throwIfAborted();
      const bundle = await requireBundle(services.database.queries, context.viewer, request.uuid, 'read');
      const state = bundleState(bundle);
      if (state !== 'running') {
        const stored = await locateStored(context, request);
        if (stored !== undefined) {
          yield* readRest(context, stored, position);
          return undefined;
        }
        if (isFinal(state)) return undefined;
        await watch.changed(idleInterval);
        continue;
      }
      const holder = await holderOfRun(services.database.queries, request.uuid);
      if (holder !== undefined) {
        for await (const chunk of fromWorker(asking, holder, request.path, position)) {
          position += chunk.length;
          yield chunk;
        }
      }
      await watch.changed(pollInterval);
    }
  } finally {
    stopListening();
    watch.stop();
  }
}

interface Asking extends LocateContext {
  /** Fires when answers of workers are not worth waiting for any more. */
  readonly patience: AbortSignal;
}

/**
 * The file in the store, or in a dependency of the run.
 * @throws SheafError `invalid-request` for what is no file
 */
async function locateStored(context: LocateContext, request: FollowRequest): Promise<Located | undefined> {
  let located: Located;
  try {
    located = await locate(context, request.uuid, request.path, 0);
  } catch (error) {
    if (error instanceof SheafError && error.code === 'not-found') return undefined;
    throw error;
  }
  if (located.info.type !== 'file') {
    const what = located.info.type === '' ? 'device' : located.info.type;
    throw new SheafError('invalid-request', `${located.info.name} is a ${what}; only a file is followed.`);
  }
  return located.kind === 'worker' ? undefined : located;
}

async function* readRest(
  { services }: LocateContext,
  located: Located,
  position: number,
): AsyncGenerator<Buffer, undefined> {
  if (position >= located.info.size) return undefined;
  if (located.kind === 'linked') yield* readLinkedFile(located.place, { offset: position });
  if (located.kind === 'stored' && located.entry.kind === 'file') {
    yield* services.store.read(located.entry.digest, { offset: position });
  }
  return undefined;
}

/** What the worker has from the position on; ends, without an error, where it has no more or is gone. */
async function* fromWorker(
  context: Asking,
  holder: Holder,
  path: string,
  position: number,
): AsyncGenerator<Buffer> {
  try {
    if (holder.protocol >= 2)
      yield* await open(context, holder, path, { type: 'follow_file', offset: position });
    else yield* sections(context, holder, path, position);
  } catch (error) {
    // The file is not there yet, the worker hung up, or it has let go of the run: whoever called looks again.
    if (context.signal.aborted || !isPassing(error)) throw error;
    context.services.log.debug({ err: error, run: holder.runUuid }, 'following broke off for now');
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof RunGoneError || error instanceof WorkerRefusedError) return true;
  if (error instanceof SheafError) return error.code === 'worker-unreachable';
  return error instanceof Error && 'code' in error;
}

const sizeReply = z.object({ target_info: z.object({ type: z.string(), size: z.number() }) });

async function* sections(
  context: Asking,
  holder: Holder,
  path: string,
  start: number,
): AsyncGenerator<Buffer> {
  const question = { kind: 'read', path, arguments: { type: 'get_target_info', depth: 0 } } as const;
  // An original worker never answers a read of a file that does not exist, so it is asked for that first.
  const answer = await ask(mailboxesOf(context), holder, question, context.patience);
  const info = sizeReply.safeParse(answer.kind === 'json' ? answer.value : undefined);
  if (!info.success || info.data.target_info.type !== 'file') return;
  const { size } = info.data.target_info;
  let position = start;
  while (position < size) {
    const section = { type: 'read_file_section', offset: position, length: sectionLength } as const;
    const zipped = await open(context, holder, path, section);
    let length = 0;
    for await (const chunk of pipeline(zipped, createGunzip(), () => undefined) as AsyncIterable<Buffer>) {
      length += chunk.length;
      yield chunk;
    }
    position += length;
    if (length < sectionLength) return;
  }
}

async function open(
  context: Asking,
  holder: Holder,
  path: string,
  request: ReadArguments,
): Promise<Readable> {
  const question = { kind: 'read', path, arguments: request } as const;
  const stream = bytesOf(await ask(mailboxesOf(context), holder, question, context.patience));
  if (stream === undefined) throw new SheafError('worker-unreachable', 'The worker sent no data.');
  const { signal } = context;
  const leave = () => stream.destroy();
  signal.addEventListener('abort', leave, { once: true });
  // A file is followed for days, with many answers.
  stream.once('close', () => signal.removeEventListener('abort', leave));
  if (signal.aborted) leave();
  return stream;
}

function mailboxesOf({ services, execution }: LocateContext) {
  return { services, mailboxes: execution.mailboxes };
}
