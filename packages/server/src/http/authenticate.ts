/* Who asks, and whether the route is open to them (rest-api.md §4.1, §4.2). Runs after the body is parsed, before the handler. */
import { assertNever } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Services } from '../services.ts';
import type { AccessLevel } from './access-level.ts';
import { isAjax, originOf } from './origin.ts';
import { queryOf } from './query.ts';
import { KeptViewers } from './kept-viewers.ts';
import type { Viewer } from './viewer.ts';

export function authenticateRequests(app: FastifyInstance, services: Services): void {
  const viewers = new KeptViewers(services);
  app.decorateRequest('viewer');
  app.addHook('preValidation', async (request, reply) => {
    request.viewer = { kind: 'anonymous' };
    if (request.is404) return;
    request.viewer = await viewerOfToken(viewers, tokenOf(request));
    const refusal = refusalOf(request, services.settings.protectedMode);
    if (refusal === undefined) return;
    if (isAjax(request)) throw refusal.error;
    return redirectTo(refusal.page, request, reply);
  });
}

/** An unknown or expired token is nobody's. */
async function viewerOfToken(viewers: KeptViewers, token: string | undefined): Promise<Viewer> {
  if (token === undefined) return { kind: 'anonymous' };
  return (await viewers.find(token)) ?? { kind: 'anonymous' };
}

function tokenOf(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization;
  if (header === undefined) return queryOf(request).given('access_token');
  return /^bearer +(\S+)\s*$/i.exec(header)?.[1];
}

interface Refusal {
  error: SheafError;
  page: 'login' | 'resend';
}

function refusalOf(request: FastifyRequest, protectedMode: boolean): Refusal | undefined {
  const { access, allowUnverified } = request.routeOptions.config;
  if (access === undefined) throw new Error(`The route ${request.routeOptions.url} names no access level`);
  return accessRefusal(request.viewer, { access, allowUnverified }, protectedMode);
}

/** Why somebody may not call what has this access level; undefined where they may. */
export function accessRefusal(
  viewer: Viewer,
  { access, allowUnverified }: { access: AccessLevel; allowUnverified?: boolean | undefined },
  protectedMode: boolean,
): Refusal | undefined {
  if (viewer.kind === 'user' && !viewer.isVerified && allowUnverified !== true) {
    return { error: new SheafError('not-verified', 'User is not verified.'), page: 'resend' };
  }
  const needs = needsOf(access, protectedMode);
  if (needs.user && viewer.kind === 'anonymous') {
    return { error: new SheafError('not-authenticated', 'User is not authenticated.'), page: 'login' };
  }
  // Root too: without the flag even it is refused (rest-api.md §4.2).
  if (needs.access && (viewer.kind === 'anonymous' || !viewer.hasAccess)) {
    const message = 'User has not been given access to this instance. Please contact the admin for access.';
    return { error: new SheafError('no-access', message), page: 'login' };
  }
  return undefined;
}

function needsOf(level: AccessLevel, protectedMode: boolean): { user: boolean; access: boolean } {
  switch (level) {
    case 'public':
      return { user: false, access: false };
    case 'public-unless-protected':
      return { user: false, access: protectedMode };
    case 'user':
      return { user: true, access: false };
    case 'user-with-access':
      return { user: true, access: protectedMode };
    default:
      return assertNever(level);
  }
}

/** Browsers are led to a page; 302 is what HTTP/1.0 knows. */
function redirectTo(page: Refusal['page'], request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const origin = originOf(request);
  const here = encodeURIComponent(`${origin}${request.url}`);
  const target = page === 'login' ? `/account/login?next=${here}` : '/rest/account/resend';
  const status = request.raw.httpVersion === '1.0' ? 302 : 303;
  return reply.redirect(`${origin}${target}`, status);
}
