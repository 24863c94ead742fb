/* What clients report after an upload past the server: the outcome, and sizes (rest-api.md §17.3, §17.4). */
import { finalStates, isFinal, storageProblem, type FinalState } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { readQuota, recomputeDiskUsed } from '../accounts/quota.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { sendJson } from '../http/json.ts';
import { queryOf, type Query } from '../http/query.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { requireBundle } from './access.ts';
import { bundlesDocument, plainFetch } from './document.ts';
import type { UuidRoute } from './fetch-routes.ts';
import { bundleState, bundleType } from './row.ts';
import { transition, type BundleChanges, type BundleRow } from './transition.ts';

export function registerFinishRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;
  const config = { access: 'user-with-access' } as const;

  app.post<UuidRoute>('/rest/bundles/:uuid/state', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const query = queryOf(request);
    const success = query.flag('success', false);
    const next = success
      ? stateParameter(query, 'state_on_success', 'ready')
      : stateParameter(query, 'state_on_failure', 'failed');
    const message = query.text('error_msg') ?? '';
    const row = await services.unitOfWork(async (unit) => {
      const bundle = await requireBundle(unit.queries, viewer, request.params.uuid, 'all');
      refuseFinished(bundle);
      if (success) await refuseOverQuota(unit, bundle);
      const changes: BundleChanges = success ? {} : { metadata: { failure_message: message, data_size: 0 } };
      return await finish(unit, bundle, next, changes, services.clock.now());
    });
    return sendJson(reply, await bundlesDocument(services, viewer, [row], plainFetch));
  });

  // Sizes of what this server stores are counted while it is stored: nothing is corrected (rest-api.md §17.4).
  app.patch<UuidRoute>('/rest/bundles/:uuid/contents/filesize/', { config }, async (request, reply) => {
    const viewer = requireUser(request);
    const bundle = await requireBundle(queries, viewer, request.params.uuid, 'all');
    return sendJson(reply, await bundlesDocument(services, viewer, [bundle], plainFetch));
  });
}

function stateParameter(query: Query, name: string, absent: FinalState): FinalState {
  const text = query.given(name);
  if (text === undefined) return absent;
  const state = finalStates.find((known) => known === text);
  if (state === undefined)
    throw new SheafError('invalid-request', `${name} must be one of ${finalStates.join(', ')}`);
  return state;
}

function refuseFinished(bundle: BundleRow): void {
  if (bundle.state === 'uploading') return;
  const code = isFinal(bundleState(bundle)) ? 'already-final' : 'action-refused';
  throw new SheafError(code, `Bundle ${bundle.uuid} is ${bundle.state}, not uploading.`);
}

/** What the client has counted already is among what is used: each byte counts once (rest-api.md §25). */
async function refuseOverQuota(unit: UnitOfWork, bundle: BundleRow): Promise<void> {
  if (bundle.owner_id === null) return;
  const used = await recomputeDiskUsed(unit, bundle.owner_id);
  const quota = await readQuota(unit.queries, bundle.owner_id);
  if (quota === undefined) return;
  const problem = storageProblem(bundle.data_size, {
    diskQuota: quota.diskQuota,
    diskUsedWithout: used - bundle.data_size,
  });
  if (problem !== undefined) throw new SheafError('quota-exceeded', problem);
}

async function finish(
  unit: UnitOfWork,
  bundle: BundleRow,
  next: FinalState,
  changes: BundleChanges,
  now: number,
): Promise<BundleRow> {
  const row = await transition(unit, {
    uuid: bundle.uuid,
    type: bundleType(bundle),
    expected: ['uploading'],
    next,
    changes,
    now,
    event: { kind: 'upload-reported', details: { state: next } },
  });
  if (row === undefined) throw new SheafError('conflict', `Bundle ${bundle.uuid} was changed meanwhile.`);
  if (bundle.owner_id !== null) await recomputeDiskUsed(unit, bundle.owner_id);
  return row;
}
