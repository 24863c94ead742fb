/*
 * The edge: one Fastify instance with everything the transport demands (rest-api.md §1-§4), to which each subject adds its
 * routes. Routes name their whole path (`/rest/…`) and their access level in `config`; what they throw is answered here.
 */
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { registerAccountRoutes } from '../accounts/routes.ts';
import { registerBundleRoutes } from '../bundles/routes.ts';
import type { Services } from '../services.ts';
import type { Execution } from '../runs/execution.ts';
import { registerContentsRoutes } from '../contents/routes.ts';
import { registerRunRoutes } from '../runs/routes.ts';
import { sessionUpgrades } from '../runs/sessions/upgrades.ts';
import { registerWorkerRoutes } from '../workers/routes.ts';
import { registerWorksheetRoutes } from '../worksheets/routes.ts';
import { authenticateRequests } from './authenticate.ts';
import { bodyLimit, readBodies } from './bodies.ts';
import { sendError } from './errors.ts';
import { registerHealthRoutes } from './health.ts';
import { answerUnknownRoutes } from './not-found.ts';
import { rewriteUrl } from './request-target.ts';
import { createStrayBytes } from './stray-bytes.ts';
import { serveUpgrades } from './upgrades.ts';

export type App = FastifyInstance;

declare module 'fastify' {
  interface FastifyInstance {
    /** Aborted when the server stops: held requests answer at once. */
    closing: AbortSignal;
  }
}

export async function createApp(services: Services, execution: Execution): Promise<App> {
  const strayBytes = createStrayBytes();
  const app: App = Fastify({
    loggerInstance: services.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request' }),
    genReqId: requestIds(services.ids.secret(9)),
    bodyLimit,
    rewriteUrl,
    // Lists of specs make long request lines (rest-api.md §26). Peers that are gone without a word are found out.
    http: { maxHeaderSize: 128 * 1024, keepAlive: true, keepAliveInitialDelay: 60_000 },
    forceCloseConnections: 'idle',
    routerOptions: {
      maxParamLength: 4096,
      querystringParser: (text) => new URLSearchParams(text) as unknown as Record<string, unknown>,
    },
    clientErrorHandler: (error, socket) => strayBytes.handle(error, socket),
  });
  strayBytes.watch(app.server);

  const closing = new AbortController();
  app.decorate('closing', closing.signal);
  app.decorate('protocolVersion', services.settings.protocolVersion);
  app.addHook('preClose', async () => closing.abort());
  // What was held until now is answered on a connection that nobody would close for a minute.
  app.addHook('onSend', async (_request, reply) => {
    if (closing.signal.aborted) reply.header('connection', 'close');
  });
  logRequests(app);
  readBodies(app);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  answerUnknownRoutes(app);
  authenticateRequests(app, services);

  registerHealthRoutes(app, services, execution);
  registerAccountRoutes(app, services);
  registerBundleRoutes(app, services, execution);
  registerWorksheetRoutes(app, services, execution);
  registerContentsRoutes(app, services, execution);
  registerRunRoutes(app, services, execution);
  registerWorkerRoutes(app, services, execution);
  serveUpgrades(app.server, [sessionUpgrades(services, execution.sessions), execution.wakeUps.upgrade]);
  return app;
}

/** What tells the requests of this process apart in its log. @param first tells it apart from other processes */
function requestIds(first: string): () => string {
  let count = 0;
  return () => {
    count += 1;
    return `${first}-${count}`;
  };
}

function logRequests(app: App): void {
  app.addHook('onResponse', async (request, reply) => {
    request.log.info(
      {
        method: request.method,
        path: request.url.split('?', 1)[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        user: request.viewer?.kind === 'user' ? request.viewer.id : undefined,
      },
      'answered',
    );
  });
}
