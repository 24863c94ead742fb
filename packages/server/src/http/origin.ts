import type { FastifyRequest } from 'fastify';

/** Scheme and host under which the client reached us, behind a proxy too (rest-api.md §1.2). */
export function originOf(request: FastifyRequest): string {
  const scheme = headerText(request, 'x-forwarded-proto') ?? request.protocol;
  const host = headerText(request, 'x-forwarded-host') ?? request.headers.host ?? 'localhost';
  return `${scheme}://${host}`;
}

/** Clients of the API mark themselves; they get plain text and 401 instead of pages and redirects (rest-api.md §1.2). */
export function isAjax(request: FastifyRequest): boolean {
  return headerText(request, 'x-requested-with')?.toLowerCase() === 'xmlhttprequest';
}

function headerText(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  const text = Array.isArray(value) ? value[0] : value;
  return text === undefined || text === '' ? undefined : text;
}
