/* What clients ask of runs that are under way (rest-api.md §21, §22). */
import { SheafError } from '@sheaf/wire';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { collect } from '../contents/collect.ts';
import { hangUpSignal } from '../http/hang-up.ts';
import { sendJson } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { registerRaw } from '../http/raw-body.ts';
import { requireUser } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { actionsRequest, actOnBundles } from './actions.ts';
import type { Execution } from './execution.ts';
import { netcat, netcurl, type NetcatContext } from './netcat.ts';
import { registerStatisticsRoutes } from './statistics/routes.ts';

const netcatRequest = z.object({ message: z.string() });
const largestBody = 8 * 1024 * 1024;
const open = { config: { access: 'public-unless-protected' } } as const;

type PortRequest = FastifyRequest<{ Params: { uuid: string; port: string } }>;

export function registerRunRoutes(app: FastifyInstance, services: Services, execution: Execution): void {
  const contextOf = (request: FastifyRequest, reply: FastifyReply): NetcatContext => ({
    services,
    mailboxes: execution.mailboxes,
    viewer: request.viewer,
    signal: hangUpSignal(reply),
  });

  registerStatisticsRoutes(app, services);

  app.post('/rest/bundle-actions', { config: { access: 'user-with-access' } }, async (request, reply) => {
    const { data } = parse(actionsRequest, request.body);
    const actions = data.map(({ attributes }) => attributes);
    await actOnBundles(services, requireUser(request), actions, hangUpSignal(reply));
    return sendJson(reply, {
      data: actions.map((attributes) => ({ type: 'bundle-actions', id: null, attributes })),
    });
  });

  app.put('/rest/bundles/:uuid/netcat/:port/', open, async (request: PortRequest, reply) => {
    const { message } = parse(netcatRequest, request.body);
    const answer = await netcat(contextOf(request, reply), request.params.uuid, portOf(request), message);
    return reply.header('content-type', 'application/octet-stream').send(answer ?? Buffer.alloc(0));
  });

  registerRaw(app, services, (scope) => {
    scope.route({
      method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      url: '/rest/bundles/:uuid/netcurl/:port/*',
      ...open,
      handler: async (request: PortRequest, reply) => {
        const { uuid } = request.params;
        const target = targetOf(request.url);
        const answer = await netcurl(contextOf(request, reply), uuid, portOf(request), {
          method: request.method,
          target,
          headers: request.headers,
          body: await collect(request.raw, largestBody),
        });
        return reply
          .code(answer.status)
          .headers(answer.headers)
          .header('content-security-policy', 'sandbox allow-scripts allow-forms allow-popups')
          .send(answer.body);
      },
    });
  });
}

/** What follows the port, as it was sent: the program must not get it decoded and encoded again on the way. */
function targetOf(url: string): string {
  return /\/netcurl\/[^/?]*(\/[^]*)$/.exec(url)?.[1] ?? '/';
}

function portOf(request: PortRequest): number {
  const { port } = request.params;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number > 0 && number < 65_536) return number;
  throw new SheafError('invalid-request', `${port} is not a port: ports are numbers from 1 to 65535.`);
}
