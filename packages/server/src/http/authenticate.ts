/* Who asks, and whether the route is open to them (rest-api.md §4.1, §4.2). Runs after the body is parsed, before the handler. */
import { assertNever } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { userOfAccessToken } from '../accounts/tokens.ts';
import { rootUserId, type UserRow } from '../accounts/users.ts';
import type { Services } from '../services.ts';
import type { AccessLevel } from './access-level.ts';
import { isAjax, originOf } from './origin.ts';
import { queryOf } from './query.ts';
import type { Viewer } from './viewer.ts';

export function authenticateRequests(app: FastifyInstance, services: Services): void {
  app.decorateRequest('viewer');
  app.addHook('preValidation', async (request, reply) => {
    request.viewer = { kind: 'anonymous' };
    if (request.is404) return;
    request.viewer = await viewerOf(request, services);
    const refusal = refusalOf(request, services.settings.protectedMode);
    if (refusal === undefined) return;
    if (isAjax(request)) throw refusal.error;
    return redirectTo(refusal.page, request, reply);
  });
}

function viewerOf(request: FastifyRequest, services: Services): Promise<Viewer> {
  return viewerOfToken(services, tokenOf(request));
}

/** An unknown or expired token is nobody's. */
export async function viewerOfToken(services: Services, token: string | undefined): Promise<Viewer> {
  if (token === undefined) return { kind: 'anonymous' };
  const user = await userOfAccessToken(services.database.queries, token, services.clock.now());
  return user === undefined ? { kind: 'anonymous' } : viewerFrom(user);
}

export function viewerFrom(user: UserRow): Viewer & { kind: 'user' } {
  return {
    kind: 'user',
    id: user.id,
    name: user.name,
    isRoot: user.id === rootUserId,
    isVerified: user.is_verified !== 0,
    hasAccess: user.has_access !== 0,
  };
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
