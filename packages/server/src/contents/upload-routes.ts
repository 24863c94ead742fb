import { SheafError } from '@sheaf/wire';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { discardBody } from '../http/discard-body.ts';
import { sendNothing } from '../http/json.ts';
import { queryOf } from '../http/query.ts';
import { registerRaw } from '../http/raw-body.ts';
import { dropSilentBodies } from '../http/silent-bodies.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { asRefusal } from './refusals.ts';
import { RepeatedRequests } from './repeated-requests.ts';
import { epochFrom } from './upload-rules.ts';
import { upload } from './upload.ts';

/** Uploads through the server; there is no variant with a path. */
export function registerUploadRoutes(app: FastifyInstance, services: Services): void {
  const repeated = new RepeatedRequests(services.clock);
  registerRaw(app, services, (scope) => {
    dropSilentBodies(scope);
    scope.put(
      '/rest/bundles/:uuid/contents/blob/',
      { config: { access: 'user-with-access' } },
      async (request: FastifyRequest<{ Params: { uuid: string } }>, reply) => {
        const { uuid } = request.params;
        const query = queryOf(request);
        const gone = new AbortController();
        request.raw.once('close', () => {
          if (!request.raw.readableEnded) gone.abort();
        });
        reply.raw.once('close', () => gone.abort());
        const urls = query.list('urls');
        const key = `${uuid}\n${urls.join('\n')}`;
        try {
          const uploader = { viewer: requireUser(request), epoch: epochFrom(request.headers) };
          await upload(services, { uuid, uploader, query, body: request.raw, signal: gone.signal });
        } catch (thrown) {
          const error = asRefusal(thrown);
          await discardBody(request.raw);
          const first =
            error instanceof SheafError && error.code === 'already-final'
              ? repeated.firstAnswer(key)
              : undefined;
          if (first !== undefined) throw first;
          if (error instanceof SheafError && urls.length > 0) repeated.failed(key, error);
          throw error;
        }
        await discardBody(request.raw);
        return sendNothing(reply);
      },
    );
  });
}
