import type { FastifyReply } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    /** What original clients compare themselves with; in every JSON answer. */
    protocolVersion: string;
  }
}

/**
 * Answers 200 with a JSON object to which `meta.version` is added. The content type is exactly `application/json`: original
 * clients ignore a body whose type has a parameter (rest-api.md §1.3, §2.2).
 */
export function sendJson(reply: FastifyReply, object: object): FastifyReply {
  const meta: unknown = 'meta' in object ? object.meta : undefined;
  const version = reply.server.protocolVersion;
  return sendBareJson(reply, {
    ...object,
    meta: { ...(typeof meta === 'object' && meta !== null ? meta : {}), version },
  });
}

/** The same for the few answers that are no objects or carry no version (arrays, booleans, tokens). */
export function sendBareJson(reply: FastifyReply, value: unknown): FastifyReply {
  // As bytes: for text, the framework would append a charset to the content type.
  return reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(value)));
}

/** Answers 200 without a body (rest-api.md §1.5). */
export function sendNothing(reply: FastifyReply): FastifyReply {
  return reply.header('content-length', '0').send();
}
