import type { FastifyReply } from 'fastify';

/** Fires when the client goes away before the answer is complete, or the server stops. */
export function hangUpSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return AbortSignal.any([controller.signal, reply.server.closing]);
}
