/* How an error reaches the client (rest-api.md §3): the bare message for programs, a page with one `<pre>` for browsers. */
import { STATUS_CODES } from 'node:http';
import { errorCodeHeader, errorNextHeader, SheafError, type ErrorCode } from '@sheaf/wire';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isOutOfRoom } from '../database/no-room.ts';
import { isAjax } from './origin.ts';

/** Sends the answer for an error that a handler threw; what is not a SheafError is a fault of ours and is logged whole. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = asSheafError(error, request);
  if (known.status >= 500) request.log.error({ err: error, code: known.code }, 'request failed');
  else request.log.debug({ code: known.code, message: known.message }, 'request refused');
  return sendKnown(known, request, reply);
}

export function sendKnown(error: SheafError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.code(error.status).header(errorCodeHeader, error.code);
  if (error.next !== undefined) reply.header(errorNextHeader, error.next.replace(/[^\x20-\x7e]/g, '?'));
  if (isAjax(request)) return reply.header('content-type', 'text/plain; charset=utf-8').send(error.message);
  return reply
    .header('content-type', 'text/html; charset=utf-8')
    .send(errorPage(error.status, error.message));
}

function errorPage(status: number, message: string): string {
  const title = `Error: ${status} ${STATUS_CODES[status] ?? ''}`;
  return `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1><pre>${escapeHtml(message)}</pre></body></html>`;
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#x27;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

function asSheafError(error: unknown, request: FastifyRequest): SheafError {
  if (error instanceof SheafError) return error;
  if (isOutOfRoom(error))
    return new SheafError('storage-full', 'The server has no disk space left.', { cause: error });
  // The framework's own refusals (too large, malformed length …) carry a status below 500.
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (error instanceof Error && typeof status === 'number' && status >= 400 && status < 500) {
    return new SheafError(codeOfStatus(status), error.message, { cause: error });
  }
  return new SheafError(
    'internal',
    `Unexpected Internal Error (request ${request.id}). The administrators have been notified.`,
    { cause: error },
  );
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 413) return 'too-large';
  if (status === 404) return 'not-found';
  return 'invalid-request';
}
