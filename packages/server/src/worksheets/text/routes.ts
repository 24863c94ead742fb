/* `/rest/worksheets/<uuid>/raw` (worksheets.md §9.7): the text of a worksheet, saved and (new in Sheaf) read. */
import { SheafError } from '@sheaf/wire';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { discardBody } from '../../http/discard-body.ts';
import { queryOf } from '../../http/query.ts';
import { registerRaw } from '../../http/raw-body.ts';
import { requireUser } from '../../http/viewer.ts';
import type { Services } from '../../services.ts';
import { refuseFrozenWorksheet, requireWorksheet } from '../access.ts';
import { readSource } from '../interpret/source.ts';
import { itemsOf, replaceItems } from '../items.ts';
import { itemsOfText } from './raw.ts';

type RawRequest = FastifyRequest<{ Params: { uuid: string } }>;

const path = '/rest/worksheets/:uuid/raw';
/** Enough for any worksheet that anybody reads. */
const longestText = 64 * 1024 * 1024;

export function registerRawRoutes(app: FastifyInstance, services: Services): void {
  const { queries } = services.database;

  app.get(path, { config: { access: 'public-unless-protected' } }, async (request: RawRequest, reply) => {
    const worksheet = await requireWorksheet(queries, request.viewer, request.params.uuid, 'read');
    const { lines } = await readSource(services, request.viewer, worksheet.uuid);
    return reply.header('content-type', 'text/plain; charset=utf-8').send(lines.join('\n'));
  });

  // The text comes under whatever content type the client happens to set: it is never parsed as anything else.
  registerRaw(app, services, (scope) => {
    const config = { access: 'user-with-access' } as const;
    scope.post(path, { config }, (request: RawRequest, reply) => save(services, request, reply));
    scope.put(path, { config }, (request: RawRequest, reply) => save(services, request, reply));
  });
}

async function save(services: Services, request: RawRequest, reply: FastifyReply): Promise<FastifyReply> {
  const viewer = requireUser(request);
  const { uuid } = request.params;
  const text = await readText(request);
  const base = queryOf(request).integer('base_last_item_id');
  await services.unitOfWork(async (unit) => {
    const worksheet = await requireWorksheet(unit.queries, viewer, uuid, 'all');
    refuseFrozenWorksheet(worksheet);
    if (base !== undefined) {
      const last = (await itemsOf(unit.queries, uuid)).reduce((most, item) => Math.max(most, item.id), -1);
      if (last !== base) {
        const who = `Worksheet(uuid='${uuid}', name='${worksheet.name}')`;
        throw new SheafError('invalid-request', `${who} was updated concurrently!`, {
          next: 'Load it again.',
        });
      }
    }
    await replaceItems(unit, uuid, await itemsOfText(unit.queries, viewer, uuid, text), services.clock.now());
  });
  return reply.code(204).send();
}

async function readText(request: RawRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.raw as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > longestText) {
      await discardBody(request.raw);
      throw new SheafError('too-large', 'A worksheet has at most 64 MiB of text.');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
