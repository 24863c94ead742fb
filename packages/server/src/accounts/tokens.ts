/* Bearer and refresh tokens: made, looked up, renewed, revoked. Only their SHA-256 is stored (rest-api.md §4.3). */
import { createHash } from 'node:crypto';
import type { Queries } from '../database/database.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import type { Clock, Ids } from '../services.ts';
import type { UserRow } from './users.ts';

const second = 1000;
export const accessLifetime = 3600 * second;
const refreshLifetime = 30 * 24 * 3600 * second;
/** A refresh token that was used stays good this long, because the client may not have received the answer. */
const rotationGrace = 60 * second;
const tokenLength = 30;

export interface IssuedTokens {
  accessToken: string;
  refreshToken: string;
  expiresInSeconds: number;
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Issues a pair, and forgets what has expired for the same person and client. */
export async function issueTokens(
  unit: UnitOfWork,
  given: { clientId: string; userId: string; clock: Clock; ids: Ids },
): Promise<IssuedTokens> {
  const { clientId, userId, clock, ids } = given;
  const now = clock.now();
  await unit.queries
    .deleteFrom('token')
    .where('user_id', '=', userId)
    .where('client_id', '=', clientId)
    .where('expires_at', '<=', now)
    .execute();
  const accessToken = ids.secret(tokenLength);
  const refreshToken = ids.secret(tokenLength);
  const common = { client_id: clientId, user_id: userId, created_at: now };
  const pair = hashToken(accessToken);
  await unit.queries
    .insertInto('token')
    .values([
      { ...common, hash: pair, kind: 'access', expires_at: now + accessLifetime, pair: null },
      { ...common, hash: hashToken(refreshToken), kind: 'refresh', expires_at: now + refreshLifetime, pair },
    ])
    .execute();
  return { accessToken, refreshToken, expiresInSeconds: accessLifetime / second };
}

/** The active user of a valid access token, and when it ends (milliseconds since the epoch). */
export async function tokenOwner(
  queries: Queries,
  token: string,
  now: number,
): Promise<(UserRow & { readonly expires_at: number }) | undefined> {
  return await queries
    .selectFrom('token')
    .innerJoin('user', 'user.id', 'token.user_id')
    .selectAll('user')
    .select('token.expires_at')
    .where('token.hash', '=', hashToken(token))
    .where('token.kind', '=', 'access')
    .where('token.expires_at', '>', now)
    .where('user.is_active', '=', 1)
    .executeTakeFirst();
}

/**
 * Takes a refresh token out of use and answers whose it was; undefined where it is unknown, expired or another client's.
 */
export async function useRefreshToken(
  unit: UnitOfWork,
  given: { token: string; clientId: string; now: number },
): Promise<string | undefined> {
  const hash = hashToken(given.token);
  const found = await unit.queries
    .selectFrom('token')
    .innerJoin('user', 'user.id', 'token.user_id')
    .select(['token.user_id', 'token.expires_at'])
    .where('token.hash', '=', hash)
    .where('token.kind', '=', 'refresh')
    .where('token.client_id', '=', given.clientId)
    .where('token.expires_at', '>', given.now)
    .where('user.is_active', '=', 1)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  await unit.queries
    .updateTable('token')
    .set({ expires_at: Math.min(found.expires_at, given.now + rotationGrace) })
    .where('hash', '=', hash)
    .execute();
  return found.user_id;
}

/** Removes a token and its other half, if they are this client's. */
export async function revokeToken(unit: UnitOfWork, token: string, clientId: string): Promise<void> {
  const hash = hashToken(token);
  const found = await unit.queries
    .selectFrom('token')
    .select(['hash', 'pair'])
    .where('hash', '=', hash)
    .where('client_id', '=', clientId)
    .executeTakeFirst();
  if (found === undefined) return;
  const hashes = found.pair === null ? [hash] : [hash, found.pair];
  await unit.queries
    .deleteFrom('token')
    .where((eb) => eb.or([eb('hash', 'in', hashes), eb('pair', '=', hash)]))
    .execute();
  unit.announce({ type: 'account.changed' });
}
