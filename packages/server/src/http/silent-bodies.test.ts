import Fastify, { type FastifyInstance } from 'fastify';
import { request as httpRequest, type ClientRequest } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dropSilentBodies } from './silent-bodies.ts';

let app: FastifyInstance;
let address: URL;
let broken: Promise<unknown>;
beforeEach(async () => {
  app = Fastify({ forceCloseConnections: true });
  await app.register(async (scope) => {
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    dropSilentBodies(scope, 300);
    broken = new Promise((resolve) => {
      scope.put('/', async (request) => {
        let length = 0;
        try {
          for await (const chunk of request.raw) length += (chunk as Buffer).length;
        } catch (error) {
          resolve(error);
          throw error;
        }
        // Longer than a body may be silent: the answer has its own time.
        await new Promise((proceed) => setTimeout(proceed, 500));
        return { length };
      });
    });
  });
  address = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
});
afterEach(() => app.close());

function put(): ClientRequest {
  const options = { method: 'PUT', headers: { 'content-type': 'application/octet-stream' } };
  return httpRequest(address, options).on('error', () => undefined);
}

it('lets go of a body that stops coming', async () => {
  put().write('half of it');

  expect(String(await broken)).toMatch(/abort|silent/);
});

it('lets a body come slowly, and its answer take its time', async () => {
  const outgoing = put();
  const answer = new Promise<string>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      let text = '';
      incoming
        .setEncoding('utf8')
        .on('data', (part: string) => (text += part))
        .on('end', () => resolve(text));
    });
  });
  for (let part = 0; part < 5; part += 1) {
    outgoing.write('x');
    await new Promise((proceed) => setTimeout(proceed, 100));
  }
  outgoing.end();

  expect(JSON.parse(await answer)).toEqual({ length: 5 });
});
