import { SheafError } from '@sheaf/wire';
import type { FastifyRequest } from 'fastify';
import { rootUserId, type UserRow } from '../accounts/users.ts';

/** Who is asking. An unknown or expired token makes nobody fail by itself: the request is anonymous (rest-api.md §4.1). */
export type Viewer = { kind: 'anonymous' } | UserViewer;

export interface UserViewer {
  kind: 'user';
  id: string;
  name: string;
  isRoot: boolean;
  isVerified: boolean;
  hasAccess: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    viewer: Viewer;
  }
}

/** @throws SheafError `not-authenticated` */
export function requireUser(request: FastifyRequest): UserViewer {
  if (request.viewer.kind === 'anonymous') {
    throw new SheafError('not-authenticated', 'User is not authenticated.');
  }
  return request.viewer;
}

export function viewerFrom(user: UserRow): UserViewer {
  return {
    kind: 'user',
    id: user.id,
    name: user.name,
    isRoot: user.id === rootUserId,
    isVerified: user.is_verified !== 0,
    hasAccess: user.has_access !== 0,
  };
}
