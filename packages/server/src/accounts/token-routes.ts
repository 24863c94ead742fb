/* `POST /rest/oauth2/token` and `/revoke` (rest-api.md §4.3, §4.4), in the exact form that original clients expect. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendBareJson, sendNothing } from '../http/json.ts';
import type { Services } from '../services.ts';
import { createLoginDelay, type LoginDelay } from './login-delay.ts';
import { pretendToVerify, verifyPassword } from './password.ts';
import { issueTokens, revokeToken, useRefreshToken, type IssuedTokens } from './tokens.ts';
import { findUserByNameOrEmail } from './users.ts';

const clients: ReadonlySet<string> = new Set(['codalab_cli_client', 'codalab_worker_client']);
const onlyScope = 'default';

type Refusal =
  | 'invalid_grant'
  | 'invalid_client'
  | 'invalid_scope'
  | 'invalid_request'
  | 'unsupported_grant_type';

/** An error of the OAuth2 protocol; its body is JSON, unlike all others. */
class OAuthRefusal extends Error {
  override readonly name = 'OAuthRefusal';
  readonly code: Refusal;

  constructor(code: Refusal, message: string) {
    super(message);
    this.code = code;
  }

  /** 401 where the RFC has 400: original clients take only that for rejected credentials. */
  get status(): number {
    return this.code === 'invalid_request' || this.code === 'unsupported_grant_type' ? 400 : 401;
  }
}

export function registerTokenRoutes(app: FastifyInstance, services: Services): void {
  const delay = createLoginDelay(services.clock);

  app.post('/rest/oauth2/token', { config: { access: 'public' } }, async (request, reply) => {
    return await answering(reply, async () => {
      const form = formOf(request);
      const clientId = clientOf(request, form);
      const scope = form.get('scope') ?? onlyScope;
      const grant = form.get('grant_type');
      if (grant !== 'password' && grant !== 'refresh_token') {
        throw new OAuthRefusal('unsupported_grant_type', 'grant_type must be password or refresh_token.');
      }
      if (scope.split(' ').some((word) => word !== onlyScope && word !== '')) {
        throw new OAuthRefusal('invalid_scope', `The only scope is ${onlyScope}.`);
      }
      const tokens =
        grant === 'password'
          ? await passwordGrant(services, delay, form, clientId, request.ip)
          : await refreshGrant(services, form, clientId);
      return sendBareJson(reply, {
        access_token: tokens.accessToken,
        expires_in: tokens.expiresInSeconds,
        token_type: 'Bearer',
        scope: onlyScope,
        refresh_token: tokens.refreshToken,
      });
    });
  });

  app.post('/rest/oauth2/revoke', { config: { access: 'public' } }, async (request, reply) => {
    return await answering(reply, async () => {
      const form = formOf(request);
      const token = required(form, 'token');
      const clientId = clientOf(request, form);
      await services.unitOfWork((unit) => revokeToken(unit, token, clientId));
      return sendNothing(reply);
    });
  });
}

async function answering(reply: FastifyReply, work: () => Promise<FastifyReply>): Promise<FastifyReply> {
  reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OAuthRefusal)) throw error;
    return sendBareJson(reply.code(error.status), { error: error.code, error_description: error.message });
  }
}

async function passwordGrant(
  services: Services,
  delay: LoginDelay,
  form: URLSearchParams,
  clientId: string,
  address: string,
): Promise<IssuedTokens> {
  const name = required(form, 'username');
  const password = required(form, 'password');
  const user = await findUserByNameOrEmail(services.database.queries, name);
  if (user === undefined) await pretendToVerify(password);
  if (user === undefined || !(await verifyPassword(password, user.password_hash))) {
    await delay.afterFailure(name, address);
    throw new OAuthRefusal('invalid_grant', 'Invalid username or password.');
  }
  delay.afterSuccess(name, address);
  return await services.unitOfWork(async (unit) => {
    await unit.queries
      .updateTable('user')
      .set({ last_login_at: services.clock.now() })
      .where('id', '=', user.id)
      .execute();
    return await issueTokens(unit, { ...services, clientId, userId: user.id });
  });
}

async function refreshGrant(
  services: Services,
  form: URLSearchParams,
  clientId: string,
): Promise<IssuedTokens> {
  const token = required(form, 'refresh_token');
  return await services.unitOfWork(async (unit) => {
    const userId = await useRefreshToken(unit, { token, clientId, now: services.clock.now() });
    if (userId === undefined)
      throw new OAuthRefusal('invalid_grant', 'The refresh token is not valid any more.');
    return await issueTokens(unit, { ...services, clientId, userId });
  });
}

function formOf(request: FastifyRequest): URLSearchParams {
  return request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
}

function required(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (value === null || value === '') throw new OAuthRefusal('invalid_request', `Missing ${name} parameter.`);
  return value;
}

/** Both clients are public: their secret is empty (rest-api.md §4.3). */
function clientOf(request: FastifyRequest, form: URLSearchParams): string {
  const header = request.headers.authorization;
  const [clientId, secret] =
    header === undefined
      ? [form.get('client_id'), form.get('client_secret') ?? '']
      : basicCredentials(header);
  if (clientId === null || !clients.has(clientId) || secret !== '') {
    throw new OAuthRefusal('invalid_client', 'The client is not known.');
  }
  return clientId;
}

function basicCredentials(header: string): [string | null, string] {
  const encoded = /^basic +(\S+)\s*$/i.exec(header)?.[1];
  if (encoded === undefined) return [null, ''];
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? [null, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}
