/* The endpoints of workers (execution.md §4, §6, §28.3). */
import { checkinRequest, reportRequest, SheafError, startBundleRequest } from '@sheaf/wire';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { discardBody } from '../http/discard-body.ts';
import { hangUpSignal } from '../http/hang-up.ts';
import { sendBareJson, sendJson, sendNothing } from '../http/json.ts';
import { parse } from '../http/parse.ts';
import { queryOf } from '../http/query.ts';
import { registerRaw } from '../http/raw-body.ts';
import { requireUser } from '../http/viewer.ts';
import type { Execution } from '../runs/execution.ts';
import { removeWorker } from '../runs/loss.ts';
import type { Services } from '../services.ts';
import { checkIn, report, type CheckinAnswer } from './checkin.ts';
import { workerInfos } from './info.ts';
import { passData, requireSocket } from './replies.ts';
import type { WorkerKey } from './worker-key.ts';

const longestId = 127;
const config = { access: 'user-with-access' } as const;
/** Listings of large directories, and reports about many runs. */
const large = { config, bodyLimit: 64 * 1024 * 1024 } as const;

type WorkerRequest = FastifyRequest<{ Params: { worker: string; uuid?: string; socket?: string } }>;

export function registerWorkerRoutes(app: FastifyInstance, services: Services, execution: Execution): void {
  app.get('/rest/workers/info', { config }, async (request, reply) =>
    sendJson(reply, { data: await workerInfos(services.database.queries, requireUser(request)) }),
  );

  app.post('/rest/workers/:worker/checkin', large, async (request: WorkerRequest, reply) => {
    const worker = workerOf(request);
    const body = parse(checkinRequest, request.body);
    const answer = await checkIn(execution.checkins, worker, body, hangUpSignal(reply));
    return sendAnswer(services, reply, answer);
  });

  app.post('/rest/workers/:worker/report', large, async (request: WorkerRequest, reply) => {
    const body = parse(reportRequest, request.body);
    return sendAnswer(services, reply, await report(execution.checkins, workerOf(request), body));
  });

  app.post('/rest/workers/:worker/start_bundle/:uuid', { config }, async (request: WorkerRequest, reply) => {
    const worker = workerOf(request);
    const body = parse(startBundleRequest, request.body ?? {});
    const granted = await execution.starts.ask({ worker, uuid: request.params.uuid ?? '', request: body });
    // Original workers tell the next stage with their next check-in only; others report by themselves, and hear nothing here.
    if (granted) execution.wakeUps.wakeSoon(worker.workerId);
    return sendBareJson(reply, granted);
  });

  app.post('/rest/workers/:worker/reply/:socket', large, async (request: WorkerRequest, reply) => {
    const socketId = Number(request.params.socket);
    await requireSocket(services, workerOf(request), socketId);
    execution.mailboxes.deliver(socketId, { kind: 'json', value: request.body });
    return sendNothing(reply);
  });

  app.post('/rest/workers/:worker/checkout', { config }, async (request: WorkerRequest, reply) => {
    const worker = workerOf(request);
    await services.unitOfWork((unit) => removeWorker(unit, worker, 'has ended', services.clock.now()));
    return sendNothing(reply);
  });

  registerRaw(app, services, (scope) => {
    scope.post(
      '/rest/workers/:worker/reply_data/:socket',
      { config },
      async (request: WorkerRequest, reply) => {
        const socketId = Number(request.params.socket);
        let about: { header: unknown; protocol: number };
        try {
          const header = headerMessage(queryOf(request).text('header_message'));
          about = { header, ...(await requireSocket(services, workerOf(request), socketId)) };
        } catch (error) {
          await discardBody(request.raw);
          throw error;
        }
        try {
          await passData(services, execution.mailboxes, socketId, about, request.raw);
        } catch (error) {
          // The reader or the worker is gone; either way nobody is left to be told.
          services.log.debug({ err: error, socketId }, 'a reply broke off');
          request.raw.destroy();
          return reply.hijack();
        }
        return sendNothing(reply);
      },
    );
  });
}

function workerOf(request: WorkerRequest): WorkerKey {
  const { worker } = request.params;
  if (worker.length > longestId) {
    throw new SheafError('invalid-request', `A worker id has at most ${longestId} characters.`);
  }
  return { userId: requireUser(request).id, workerId: worker };
}

function headerMessage(text: string | undefined): unknown {
  if (text === undefined || text === '') throw new SheafError('invalid-request', 'Missing header message.');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SheafError('invalid-request', 'Header message should be in JSON format.', { cause: error });
  }
}

function sendAnswer(services: Services, reply: FastifyReply, answer: CheckinAnswer): FastifyReply {
  reply.raw.once('close', () => {
    if (reply.raw.writableFinished) return;
    answer
      .lost()
      .catch((error: unknown) => services.log.error({ err: error }, 'an answer could not be put back'));
  });
  return sendBareJson(reply, answer.messages);
}
