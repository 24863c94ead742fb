/* Reading contents: info, download, entry and follow (rest-api.md §18, §19). */
import type { Entry } from '@sheaf/trees';
import { SheafError, type EntryResponse } from '@sheaf/wire';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { hangUpSignal } from '../http/hang-up.ts';
import { sendJson } from '../http/json.ts';
import { queryOf } from '../http/query.ts';
import type { Execution } from '../runs/execution.ts';
import type { Services } from '../services.ts';
import { commonHeaders, openDownload } from './download.ts';
import { findFollowed, follow } from './follow.ts';
import type { LinkedEntries } from './linked-entries.ts';
import { locate, type Located, type LocateContext } from './locate.ts';
import { acceptsGzip, requestedPart } from './part.ts';
import { asRefusal } from './refusals.ts';

const config = { access: 'public-unless-protected' } as const;

type ReadRequest = FastifyRequest<{ Params: { uuid: string; '*': string } }>;

export function registerReadRoutes(app: FastifyInstance, services: Services, execution: Execution): void {
  const contextOf = (request: FastifyRequest, reply: FastifyReply): LocateContext => ({
    services,
    execution,
    viewer: request.viewer,
    signal: hangUpSignal(reply),
  });

  app.get('/rest/bundles/:uuid/contents/info/*', { config }, async (request: ReadRequest, reply) => {
    const depth = queryOf(request).integer('depth') ?? 0;
    if (depth < 0) throw new SheafError('invalid-request', 'Depth must be at least 0.');
    const located = await translated(() =>
      locate(contextOf(request, reply), request.params.uuid, pathOf(request), depth),
    );
    return sendJson(reply, { data: { ...located.info, resolved_target: resolvedTarget(located) } });
  });

  app.get('/rest/bundles/:uuid/contents/blob/*', { config }, async (request: ReadRequest, reply) => {
    const context = contextOf(request, reply);
    const part = requestedPart(queryOf(request), request.headers.range);
    const gzipped = acceptsGzip(request.headers['accept-encoding']);
    const { headers, body } = await translated(async () => {
      const located = await locate(context, request.params.uuid, pathOf(request), 0);
      // Nobody sees the body of a HEAD: it is not worth reading.
      return request.method === 'HEAD' && located.info.type !== 'link'
        ? {
            headers: commonHeaders(located, located.info.type === 'directory' ? 'directory' : 'file'),
            body: undefined,
          }
        : await openDownload(context, located, part, gzipped);
    });
    return reply.headers(headers).send(body);
  });

  app.get('/rest/bundles/:uuid/contents/entry/*', { config }, async (request: ReadRequest, reply) => {
    const located = await translated(() =>
      locate(contextOf(request, reply), request.params.uuid, pathOf(request), 0),
    );
    if (located.kind === 'worker') {
      throw new SheafError(
        'not-found',
        `${located.info.name} is not stored yet; read it through contents/blob.`,
      );
    }
    if (located.info.type === '') throw new SheafError('not-found', `${located.info.name} is no file.`);
    const entry = located.kind === 'stored' ? located.entry : await entryOfLinked(execution.linked, located);
    const data: EntryResponse['data'] = { entry, resolved_target: resolvedTarget(located) };
    return sendJson(reply, { data });
  });

  app.get(
    '/rest/bundles/:uuid/contents/follow/*',
    { config, exposeHeadRoute: false },
    async (request: ReadRequest, reply) => {
      const context = contextOf(request, reply);
      const target = {
        uuid: request.params.uuid,
        path: pathOf(request),
        offset: queryOf(request).integer('offset') ?? 0,
      };
      if (target.offset < 0) throw new SheafError('invalid-request', 'The offset must be at least 0.');
      const found = await translated(() => findFollowed(context, target));
      // The headers go out at once, so that the reader knows that somebody is there, even if nothing is written for long.
      reply.hijack();
      reply.raw.writeHead(200, {
        'content-type': 'application/octet-stream',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'access-control-allow-origin': '*',
      });
      reply.raw.flushHeaders();
      try {
        await pipeline(Readable.from(follow(context, target, found), { objectMode: false }), reply.raw);
      } catch (error) {
        // The connection is broken off already: what was sent must not look complete.
        request.log.debug({ err: error, bundle: target.uuid }, 'following ended early');
      }
    },
  );
}

async function entryOfLinked(
  linked: LinkedEntries,
  { bundle, place, info }: Extract<Located, { kind: 'linked' }>,
): Promise<Entry> {
  if (info.type === 'link') return { kind: 'link', target: info.link ?? '' };
  return await translated(() => linked.bringIn(bundle.uuid, place));
}

function pathOf(request: ReadRequest): string {
  return request.params['*'];
}

function resolvedTarget(located: Located): { bundle_uuid: string; subpath: string } {
  return { bundle_uuid: located.bundle.uuid, subpath: located.path };
}

async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asRefusal(error);
  }
}
