import type { FastifyInstance } from 'fastify';
import type { Services } from '../services.ts';
import { sendInterimAnswers } from './interim.ts';

/**
 * A scope in which no body is parsed, whatever its content type says: handlers read `request.raw`, which is the stream
 * (rest-api.md §1.3, items 5 and 13). Uploads of any length; original clients are kept waiting with interim answers.
 */
export function registerRaw(
  app: FastifyInstance,
  services: Pick<Services, 'clock'>,
  routes: (scope: FastifyInstance) => void,
): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    sendInterimAnswers(scope, services.clock);
    routes(scope);
  });
}
