/*
 * Finds what a path of a bundle is: stored, linked, or on the worker that runs it; and, where the bundle has nothing there, in the
 * dependency whose key the path begins with (rest-api.md §18.2).
 */
import { matchDependency } from '@sheaf/domain';
import { PathError, resolvePath, type Entry } from '@sheaf/trees';
import { SheafError, type TargetInfo } from '@sheaf/wire';
import { z } from 'zod';
import { requireBundle } from '../bundles/access.ts';
import type { BundleRow } from '../bundles/transition.ts';
import { watchBundle } from '../events/waiting.ts';
import type { Viewer } from '../http/viewer.ts';
import type { Execution } from '../runs/execution.ts';
import type { Services } from '../services.ts';
import { answerTimeout, ask, RunGoneError, WorkerRefusedError, type Holder } from '../workers/questions.ts';
import { holderOfRun } from './holder.ts';
import { linkedInfo, linkedName, linkedPath, linkOf } from './linked.ts';
import { storedEntry } from './stored.ts';
import { targetInfo } from './target-info.ts';

export interface LocateContext {
  readonly services: Services;
  readonly execution: Execution;
  readonly viewer: Viewer;
  readonly signal: AbortSignal;
}

export type Located = { readonly bundle: BundleRow; readonly path: string; readonly info: TargetInfo } & (
  | { readonly kind: 'stored'; readonly entry: Entry }
  | { readonly kind: 'linked'; readonly place: string }
  | { readonly kind: 'worker'; readonly holder: Holder }
);

/** Dependencies of dependencies of dependencies …: nobody means more. */
const mostHops = 50;

/**
 * @param depth levels of directories that the info lists
 * @throws SheafError `not-found` for everything that cannot be read, `permission-denied` on any bundle on the way
 */
export async function locate(
  context: LocateContext,
  uuid: string,
  path: string,
  depth: number,
): Promise<Located> {
  return await follow(context, { uuid, path }, depth, mostHops);
}

async function follow(
  context: LocateContext,
  target: { uuid: string; path: string },
  depth: number,
  hopsLeft: number,
): Promise<Located> {
  const { services, viewer } = context;
  const bundle = await requireBundle(services.database.queries, viewer, target.uuid, 'read');
  let missing: SheafError;
  try {
    return await direct(context, bundle, target.path, depth);
  } catch (error) {
    const known = notFound(error);
    if (known === undefined) throw error;
    missing = known;
  }
  const dependencies = await services.database.queries
    .selectFrom('dependency')
    .selectAll()
    .where('child_uuid', '=', target.uuid)
    .orderBy('id')
    .execute();
  const match = matchDependency(target.path, dependencies);
  if (match === undefined || hopsLeft === 0) throw missing;
  const parent = { uuid: match.dependency.parent_uuid, path: match.parentPath };
  return await follow(context, parent, depth, hopsLeft - 1);
}

/** The reasons for which a dependency is looked at instead. */
function notFound(error: unknown): SheafError | undefined {
  if (error instanceof SheafError && error.code === 'not-found') return error;
  if (error instanceof PathError) return new SheafError('not-found', `${error.message}.`, { cause: error });
  if (error instanceof SheafError && error.code === 'worker-unreachable') {
    return new SheafError('not-found', error.message, { cause: error });
  }
  return undefined;
}

async function direct(
  context: LocateContext,
  bundle: BundleRow,
  path: string,
  depth: number,
): Promise<Located> {
  if (bundle.state === 'preparing') {
    throw new SheafError(
      'not-found',
      `Bundle ${bundle.uuid} hasn't started running yet, files not available`,
    );
  }
  if (bundle.state === 'running') return await onWorker(context, bundle, path, depth);
  const link = linkOf(bundle);
  if (link !== undefined) return await linked(context, bundle, link, path, depth);
  const root = storedEntry(bundle);
  if (root === undefined && bundle.state === 'finalizing') {
    const settled = await whenFinal(context, bundle);
    if (settled.state !== 'finalizing') return await direct(context, settled, path, depth);
  }
  if (root === undefined) {
    throw new SheafError('not-found', `Bundle ${bundle.uuid} has no contents; it is ${bundle.state}.`);
  }
  const found = await resolvePath(context.execution.trees, root, path);
  const info = await targetInfo(context.execution.trees, nameOf(bundle, path), found.entry, depth);
  return { kind: 'stored', bundle, path: found.path, info, entry: found.entry };
}

/** The results of a run on a shared filesystem are stored while it is `finalizing` (execution.md §24): that does not take long. */
async function whenFinal(context: LocateContext, bundle: BundleRow): Promise<BundleRow> {
  const { services, viewer, signal } = context;
  const watch = watchBundle(services, services.clock, bundle.uuid, signal);
  const end = services.clock.elapsed() + answerTimeout;
  try {
    for (;;) {
      const now = await requireBundle(services.database.queries, viewer, bundle.uuid, 'read');
      const left = end - services.clock.elapsed();
      if (now.state !== 'finalizing' || left <= 0) return now;
      await watch.changed(left);
      signal.throwIfAborted();
    }
  } finally {
    watch.stop();
  }
}

async function linked(
  { services }: LocateContext,
  bundle: BundleRow,
  link: string,
  path: string,
  depth: number,
): Promise<Located> {
  const place = await linkedPath(services.settings.linkRoots, link, path);
  const name = path.split('/').findLast((part) => part !== '') ?? linkedName(link);
  return { kind: 'linked', bundle, path, place, info: await linkedInfo(place, name, depth) };
}

const targetInfoShape: z.ZodType<TargetInfo> = z.lazy(
  () =>
    z.object({
      name: z.string(),
      type: z.enum(['file', 'directory', 'link', '']),
      size: z.number(),
      perm: z.number(),
      link: z.string().optional(),
      contents: z.array(targetInfoShape).optional(),
    }) as z.ZodType<TargetInfo>,
);
const infoReply = z.object({ target_info: targetInfoShape });

async function onWorker(
  context: LocateContext,
  bundle: BundleRow,
  path: string,
  depth: number,
  secondTry = false,
): Promise<Located> {
  const { services, execution, signal } = context;
  const holder = await holderOfRun(services.database.queries, bundle.uuid);
  if (holder === undefined) {
    throw new SheafError('not-found', `No worker has bundle ${bundle.uuid}, files not available.`);
  }
  try {
    const question = { kind: 'read', path, arguments: { type: 'get_target_info', depth } } as const;
    const answer = await ask({ services, mailboxes: execution.mailboxes }, holder, question, signal);
    const reply = infoReply.safeParse(answer.kind === 'json' ? answer.value : undefined);
    if (!reply.success)
      throw new SheafError('not-found', `The worker ${holder.workerId} gave no proper answer.`);
    return { kind: 'worker', bundle, path, holder, info: reply.data.target_info };
  } catch (error) {
    // Only "there is no such path" lets a dependency be looked at; any other refusal ends the look-up.
    if (error instanceof WorkerRefusedError && error.status === 404) {
      throw new SheafError('not-found', error.message, { cause: error });
    }
    if (!(error instanceof RunGoneError) || secondTry) throw error;
    const fresh = await requireBundle(services.database.queries, context.viewer, bundle.uuid, 'read');
    return fresh.state === 'running'
      ? await onWorker(context, fresh, path, depth, true)
      : await direct(context, fresh, path, depth);
  }
}

function nameOf(bundle: BundleRow, path: string): string {
  return path.split('/').findLast((part) => part !== '' && part !== '.') ?? bundle.uuid;
}
