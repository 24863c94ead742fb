/*
 * `POST /rest/bundles/memoized` (new in Sheaf): takes the document with which a run would be created and answers the run that need
 * not be executed again, if there is one. `meta.found` says which: `ready`, `in-flight`, or `none` with the reason, if any, in
 * `meta.reason`.
 */
import { validateDependencies, validateMetadata } from '@sheaf/domain';
import { bundleCreateRequest, SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { DependencyEntries } from '../contents/dependency-entries.ts';
import { sendJson } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { requireUser } from '../http/viewer.ts';
import type { Execution } from '../runs/execution.ts';
import { requestSettings } from '../runs/request-settings.ts';
import type { Services } from '../services.ts';
import { bundlesDocument, plainFetch } from './document.ts';
import { findSameResult, type WantedRun } from './same-result.ts';

export function registerSameResultRoutes(
  app: FastifyInstance,
  services: Services,
  { trees }: Pick<Execution, 'trees'>,
): void {
  const { queries } = services.database;
  const settings = requestSettings(services.settings);
  const context = { queries, entries: new DependencyEntries(trees), settings };

  app.post('/rest/bundles/memoized', { config: { access: 'user-with-access' } }, async (request, reply) => {
    const viewer = requireUser(request);
    const found = await findSameResult(context, viewer, wantedRun(request.body));
    const rows = found.kind === 'none' ? [] : [found.run];
    const { data } = await bundlesDocument(services, viewer, rows, plainFetch);
    const reason = found.kind === 'none' && found.why !== undefined ? { reason: found.why } : {};
    return sendJson(reply, { data, meta: { found: found.kind, ...reason } });
  });
}

/** @throws SheafError `invalid-request` for what could not be created either */
function wantedRun(body: unknown): WantedRun {
  const [only, ...others] = parse(bundleCreateRequest, body).data;
  if (only === undefined || others.length > 0 || only.attributes.bundle_type !== 'run') {
    throw new SheafError('invalid-request', 'Ask for one run.');
  }
  const { command, metadata, dependencies } = only.attributes;
  const problem = validateMetadata('run', metadata) ?? validateDependencies('run', dependencies ?? []);
  if (problem !== undefined) throw new SheafError('invalid-request', problem);
  return { command: command ?? '', metadata, dependencies: dependencies ?? [] };
}
