/* New in Sheaf: waiting for a bundle's next change instead of asking every second, and its history. */
import { createHash } from 'node:crypto';
import { allPermission, stateDetails } from '@sheaf/domain';
import type { BundleChange, MetadataValue } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { watchBundle } from '../events/waiting.ts';
import { hangUpSignal } from '../http/hang-up.ts';
import { sendJson } from '../http/json.ts';
import type { Viewer } from '../http/viewer.ts';
import { queryOf } from '../http/query.ts';
import type { Services } from '../services.ts';
import { bundleNotFound, findBundle, permissionsOn, requireBundle } from './access.ts';
import { shownEvent } from './shown-event.ts';
import type { UuidRoute } from './fetch-routes.ts';
import { knownParents } from './resource.ts';
import { bundleState, bundleType, shownMetadata } from './row.ts';
import type { BundleRow } from './transition.ts';
import { viewBundles } from './view.ts';

const second = 1000;
const longestWait = 300 * second;
/** A change made by another server on the same database is seen this late at most. */
const safetyNet = 10 * second;

export function registerWatchRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;
  const config = { access: 'public-unless-protected' } as const;

  app.get<UuidRoute>('/rest/bundles/:uuid/changes', { config, logLevel: 'warn' }, async (request, reply) => {
    const query = queryOf(request);
    const after = query.integer('after') ?? 0;
    const timeout = (query.integer('timeout') ?? 30) * second;
    const { uuid } = request.params;
    await requireBundle(queries, request.viewer, uuid, 'read');
    const wait = Math.min(Math.max(timeout, 0), longestWait);
    const known = { version: after, details: query.text('seen') };
    const row = await rowAfter(services, uuid, known, wait, hangUpSignal(reply));
    return sendJson(reply, { data: await changeOf(services, request.viewer, row) });
  });

  app.get<UuidRoute>('/rest/bundles/:uuid/events', { config }, async (request, reply) => {
    const bundle = await requireBundle(queries, request.viewer, request.params.uuid, 'read');
    const permissions = await permissionsOn(queries, request.viewer, [bundle]);
    const isAll = (permissions.get(bundle.uuid) ?? 0) >= allPermission;
    const events = await queries
      .selectFrom('bundle_event')
      .selectAll()
      .where('bundle_uuid', '=', bundle.uuid)
      .orderBy('id')
      .execute();
    const data = events.map((event) => ({
      type: 'bundle-events',
      id: String(event.id),
      attributes: shownEvent(event, { named: bundle.is_anonymous === 0 || isAll }),
    }));
    return sendJson(reply, { data });
  });
}

/** What a client has seen of a bundle. */
interface Seen {
  readonly version: number;
  /** The tag of the details; undefined from clients that tell none: they hear of what changes while they ask. */
  readonly details: string | undefined;
}

/**
 * The bundle as it is once it is not what was seen any more, or when the time is over or the server stops. Why a run waits is no
 * part of its row, so that it changes without a new version.
 */
async function rowAfter(
  { database, events, clock, reasons }: Services,
  uuid: string,
  seen: Seen,
  milliseconds: number,
  signal: AbortSignal,
): Promise<BundleRow> {
  const deadline = clock.elapsed() + milliseconds;
  // Watching begins before the row is read, so that no change falls between the two.
  const watch = watchBundle({ events, reasons }, clock, uuid, signal);
  try {
    let details = seen.details;
    for (;;) {
      const row = await findBundle(database.queries, uuid);
      if (row === undefined) throw bundleNotFound(uuid);
      const left = deadline - clock.elapsed();
      if (row.version > seen.version || left <= 0 || signal.aborted) return row;
      const tag =
        row.state === 'staged' ? detailsTag(shownMetadata(row, reasons.of(row))['staged_status']) : details;
      details ??= tag;
      if (tag !== details) return row;
      await watch.changed(Math.min(left, safetyNet));
    }
  } finally {
    watch.stop();
  }
}

/** What a bundle that is not staged yet waits for stands with its parents. */
async function changeOf(services: Services, viewer: Viewer, row: BundleRow): Promise<BundleChange> {
  const [view] = row.state === 'created' ? await viewBundles(services, viewer, [row]) : [];
  const parents = knownParents(view?.dependencies ?? []);
  const metadata = shownMetadata(row, services.reasons.of(row));
  const details = stateDetails(bundleType(row), bundleState(row), metadata, parents);
  return {
    uuid: row.uuid,
    version: row.version,
    state: row.state,
    state_details: details,
    details_tag: detailsTag(details),
  };
}

function detailsTag(details: MetadataValue | undefined): string {
  return createHash('sha256').update(String(details)).digest('hex').slice(0, 16);
}
