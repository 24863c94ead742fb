import { describe, expect, test } from 'vitest';
import { SignIn, type Credentials } from './sign-in.ts';
import { memoryTokenStore, type TokenStore } from './token-store.ts';
import type { Transport, TransportRequest } from './transport.ts';

const address = 'http://h:1';
const now = 1_000_000;

interface TokenServer extends Transport {
  readonly asked: TransportRequest[];
}

/** Accepts the password `right` and refresh tokens that begin with `good`. */
function tokenServer(): TokenServer {
  const asked: TransportRequest[] = [];
  return {
    asked,
    send(request) {
      asked.push(request);
      const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
      const fine = form.get('password') === 'right' || form.get('refresh_token')?.startsWith('good');
      const n = asked.length;
      const text = fine
        ? JSON.stringify({ access_token: `access${n}`, refresh_token: `good${n}`, expires_in: 3600 })
        : JSON.stringify({ error: 'invalid_grant' });
      return Promise.resolve({
        status: fine ? 200 : 401,
        headers: {},
        text: () => Promise.resolve(text),
        body: (async function* () {})(),
        cancel: () => undefined,
      });
    },
  };
}

function signIn(
  transport: Transport,
  store: TokenStore,
  credentials: Credentials | undefined = { username: 'alice', password: 'right' },
) {
  let asked = 0;
  const session = new SignIn({
    address,
    transport,
    store,
    now: () => now,
    credentials: () => {
      asked += 1;
      return Promise.resolve(credentials);
    },
  });
  return { session, timesAsked: () => asked };
}

const stored = (access: string, refresh: string, secondsLeft: number) => ({
  username: 'alice',
  token_info: { access_token: access, refresh_token: refresh, expires_at: now / 1000 + secondsLeft },
});

describe('token', () => {
  test('a password is asked for once, and the token kept with its end', async () => {
    const [server, store] = [tokenServer(), memoryTokenStore()];
    const { session, timesAsked } = signIn(server, store);
    const both = await Promise.all([session.token(), session.token()]);
    expect(both).toEqual(['access1', 'access1']);
    expect(timesAsked()).toBe(1);
    expect(await store.read(address)).toEqual({
      username: 'alice',
      token_info: {
        access_token: 'access1',
        refresh_token: 'good1',
        expires_at: now / 1000 + 3600,
        token_type: 'Bearer',
        scope: 'default',
      },
    });
    expect(server.asked[0]).toMatchObject({
      url: 'http://h:1/rest/oauth2/token',
      body: 'grant_type=password&username=alice&password=right',
      headers: { authorization: 'Basic Y29kYWxhYl9jbGlfY2xpZW50Og==' },
    });
  });

  test('a token that is good for ten more minutes is used as it is', async () => {
    const [server, store] = [tokenServer(), memoryTokenStore()];
    await store.write(address, stored('cached', 'good', 600));
    expect(await signIn(server, store).session.token()).toBe('cached');
    expect(server.asked).toHaveLength(0);
  });

  test('an older one is refreshed without asking anybody', async () => {
    const [server, store] = [tokenServer(), memoryTokenStore()];
    await store.write(address, stored('cached', 'good', 599));
    const { session, timesAsked } = signIn(server, store);
    expect(await session.token()).toBe('access1');
    expect(timesAsked()).toBe(0);
    expect(server.asked[0]?.body).toBe('grant_type=refresh_token&refresh_token=good');
  });

  test('where the refresh is refused, the password is asked for', async () => {
    const [server, store] = [tokenServer(), memoryTokenStore()];
    await store.write(address, stored('cached', 'stale', 0));
    const { session, timesAsked } = signIn(server, store);
    expect(await session.token()).toBe('access2');
    expect(timesAsked()).toBe(1);
  });

  test('a wrong password is said with the name and the address, and nothing is kept', async () => {
    const [server, store] = [tokenServer(), memoryTokenStore()];
    const { session } = signIn(server, store, { username: 'alice', password: 'wrong' });
    await expect(session.token()).rejects.toMatchObject({
      code: 'not-authenticated',
      message: 'Invalid username or password.',
      next: expect.stringContaining('"alice" at http://h:1') as string,
    });
    expect(await store.read(address)).toBeUndefined();
  });

  test('who gives no name goes without a token', async () => {
    const server = tokenServer();
    const session = new SignIn({
      address,
      transport: server,
      store: memoryTokenStore(),
      now: () => now,
      credentials: () => Promise.resolve(undefined),
    });
    expect(await session.token()).toBeUndefined();
    expect(server.asked).toHaveLength(0);
  });
});

describe('renew', () => {
  test('takes the token that another request has got meanwhile', async () => {
    const [server, store] = [tokenServer(), memoryTokenStore()];
    await store.write(address, stored('newer', 'good', 3000));
    expect(await signIn(server, store).session.renew('refused')).toBe('newer');
    expect(server.asked).toHaveLength(0);
  });

  test('otherwise refreshes, however long the refused one was said to be good', async () => {
    const [server, store] = [tokenServer(), memoryTokenStore()];
    await store.write(address, stored('refused', 'good', 3000));
    expect(await signIn(server, store).session.renew('refused')).toBe('access1');
  });
});
