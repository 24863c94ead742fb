/* Which request bodies are understood (rest-api.md §1.2, §3.2): JSON and forms up to 8 MiB, plain text; others count as none. */
import { SheafError } from '@sheaf/wire';
import type { FastifyInstance } from 'fastify';

export const bodyLimit = 8 * 1024 * 1024;

export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    const text = body.toString();
    if (text === '') return done(null, undefined);
    try {
      done(null, JSON.parse(text));
    } catch (error) {
      done(new SheafError('invalid-json', 'Invalid JSON', { cause: error }), undefined);
    }
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(body.toString())),
  );
  // Read to its end all the same: the client must see the answer, not a broken connection.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null, undefined));
}
