/* What original clients put on the request line, made into a path the router understands (rest-api.md §1.3; execution.md T3, T12). */
import type { IncomingMessage } from 'node:http';

const absoluteForm = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;
const brokenEscape = /%(?![0-9a-fA-F]{2})/g;

/**
 * Chunked uploads of original clients send the whole URL on the request line, and original workers send paths unescaped: a
 * `%` that begins no escape is meant literally.
 */
export function rewriteTarget(target: string): string {
  const withoutOrigin = isAbsoluteTarget(target) ? target.replace(absoluteForm, '') : target;
  const queryAt = withoutOrigin.indexOf('?');
  const path = queryAt === -1 ? withoutOrigin : withoutOrigin.slice(0, queryAt);
  const query = queryAt === -1 ? '' : withoutOrigin.slice(queryAt);
  const rooted = path.startsWith('/') ? path : `/${path}`;
  return rooted.replace(brokenEscape, '%25') + query;
}

export function isAbsoluteTarget(target: string): boolean {
  return absoluteForm.test(target);
}

export function rewriteUrl(request: IncomingMessage): string {
  return rewriteTarget(request.url ?? '/');
}
