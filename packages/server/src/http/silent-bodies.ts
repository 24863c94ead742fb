/*
 * Uploads whose sender is gone without a word: a machine that lost its network sends no farewell, and what it was sending would be
 * held open for ever, so that the sender itself could not begin again.
 */
import type { FastifyInstance } from 'fastify';

const longestSilence = 2 * 60_000;

/**
 * Breaks the connection of a request in this scope when nothing of its body has come for a while. Not for bodies that may pause as
 * long as they like, such as the answers of a program.
 * @param silence milliseconds
 */
export function dropSilentBodies(scope: FastifyInstance, silence = longestSilence): void {
  scope.addHook('onRequest', async (request, reply) => {
    const { raw } = request;
    const { socket } = raw;
    const drop = () => raw.destroy(new Error('The sender of the body has gone silent'));
    const done = () => {
      socket.setTimeout(0);
      socket.off('timeout', drop);
    };
    socket.setTimeout(silence);
    socket.once('timeout', drop);
    raw.once('end', done);
    reply.raw.once('close', done);
  });
}
