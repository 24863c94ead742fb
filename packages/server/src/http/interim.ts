/*
 * Original clients give an upload 60 s of silence before they write stray bytes on the connection; an interim `100 Continue`
 * starts their time anew (rest-api.md §1.3, item 6). Only they get it: other clients may refuse an answer they did not ask for.
 */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../services.ts';
import { isAbsoluteTarget } from './request-target.ts';

const pause = 45_000;

/** Adds the interim answers to every upload in this scope. */
export function sendInterimAnswers(scope: FastifyInstance, clock: Clock): void {
  scope.addHook('onRequest', async (request, reply) => {
    const uploads = request.method !== 'GET' && request.method !== 'HEAD';
    if (!uploads || !isAbsoluteTarget(request.originalUrl)) return;
    let cancel = () => {};
    const next = () => {
      cancel = clock.after(pause, () => {
        if (reply.raw.headersSent || reply.raw.destroyed) return;
        reply.raw.writeContinue();
        next();
      });
    };
    next();
    reply.raw.once('close', () => cancel());
  });
}
