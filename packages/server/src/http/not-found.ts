/* 404 and 405 (rest-api.md §1.1): the router only knows routes, so a path that another method has is looked for here. */
import { SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';
import { decoded } from './decoded.ts';
import { sendKnown } from './errors.ts';

/** Must be called before the routes are added. */
export function answerUnknownRoutes(app: FastifyInstance): void {
  const known: { method: string; pattern: RegExp }[] = [];
  app.addHook('onRoute', (route) => {
    const methods = Array.isArray(route.method) ? route.method : [route.method];
    for (const method of methods) known.push({ method, pattern: patternOf(route.url) });
  });
  // The router lets a parameter be empty, but a trailing slash is another path (rest-api.md §1.1).
  app.addHook('onRequest', async (request, reply) => {
    const parameters = Object.entries(request.params as Record<string, string>);
    if (!request.is404 && parameters.some(([name, value]) => name !== '*' && value === '')) {
      return reply.callNotFound();
    }
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const others = known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    const allowed = [...new Set(others)].toSorted();
    if (allowed.length === 0) {
      return sendKnown(new SheafError('not-found', `Not found: '${decoded(path)}'`), request, reply);
    }
    reply.header('allow', allowed.join(','));
    return sendKnown(new SheafError('method-not-allowed', 'Method not allowed.'), request, reply);
  });
}

/** `/a/:b/*` as an expression; the router's syntax with a pattern in parentheses (`:b(^x$)`) is understood too. */
export function patternOf(route: string): RegExp {
  const source = route
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:\w+(\\\(.*?\\\))?/g, '[^/]+')
    .replace(/\*$/, '.*');
  return new RegExp(`^${source}$`);
}
