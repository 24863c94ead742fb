import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manualClock, type ManualClock } from '../testing/manual-clock.ts';
import { databases, sharedPassword, startTestServer, type TestServer } from '../testing/test-server.ts';

const cli = `Basic ${Buffer.from('codalab_cli_client:').toString('base64')}`;
const worker = `Basic ${Buffer.from('codalab_worker_client:').toString('base64')}`;
const minute = 60_000;

interface Tokens {
  access_token: string;
  refresh_token: string;
}

describe.each(databases)('signing in on %s', (database) => {
  let server: TestServer;
  let clock: ManualClock;
  beforeAll(async () => {
    clock = manualClock();
    server = await startTestServer({ database, clock });
    await server.createUser({ name: 'Maria', email: 'maria@example.org' });
  });
  afterAll(() => server.close());

  const post = (path: string, form: Record<string, string>, authorization = cli) =>
    server.fetch(path, {
      method: 'POST',
      body: new URLSearchParams(form).toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(authorization === '' ? {} : { authorization }),
      },
    });
  const grant = (form: Record<string, string>, authorization = cli) =>
    post('/rest/oauth2/token', form, authorization);
  const password = (username: string, secret = sharedPassword) => ({
    grant_type: 'password',
    username,
    password: secret,
  });
  const signIn = async () => (await (await grant(password('Maria'))).json()) as Tokens;
  const statusWith = async (token: string) =>
    (await server.fetch('/rest/user', { headers: { authorization: `Bearer ${token}` } })).status;

  it('gives tokens in the form clients expect', async () => {
    const response = await grant(password('Maria'));

    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('pragma')).toBe('no-cache');
    expect(await response.json()).toEqual({
      access_token: expect.stringMatching(/^[A-Za-z0-9]{30}$/) as string,
      refresh_token: expect.stringMatching(/^[A-Za-z0-9]{30}$/) as string,
      expires_in: 3600,
      token_type: 'Bearer',
      scope: 'default',
    });
  });

  it.each(['Maria', 'maria', 'MARIA@example.org'])(
    'knows %s by name and address in any case',
    async (name) => {
      expect((await grant(password(name), worker)).status).toBe(200);
    },
  );

  it('takes the client from the form where there is no header', async () => {
    expect((await grant({ ...password('Maria'), client_id: 'codalab_cli_client' }, '')).status).toBe(200);
  });

  it('keeps tokens only as hashes', async () => {
    const { access_token: access, refresh_token: refresh } = await signIn();

    const rows = await server.services.database.queries.selectFrom('token').selectAll().execute();

    expect(JSON.stringify(rows)).not.toContain(access);
    expect(JSON.stringify(rows)).not.toContain(refresh);
  });

  it('notes the sign-in', async () => {
    await signIn();
    const token = await server.tokenFor('Maria');
    const response = await server.fetch('/rest/user', { headers: { authorization: `Bearer ${token}` } });

    expect(await response.json()).toMatchObject({
      data: { attributes: { last_login: expect.stringContaining('2031') as string } },
    });
  });

  it.each([
    ['wrong password', password('Maria', 'wrong'), cli, 401, 'invalid_grant'],
    ['unknown user', password('nobody'), cli, 401, 'invalid_grant'],
    ['unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'x' }, cli, 401, 'invalid_grant'],
    [
      'unknown client',
      password('Maria'),
      `Basic ${Buffer.from('other:').toString('base64')}`,
      401,
      'invalid_client',
    ],
    [
      'a secret',
      password('Maria'),
      `Basic ${Buffer.from('codalab_cli_client:x').toString('base64')}`,
      401,
      'invalid_client',
    ],
    ['bad header', password('Maria'), 'Basic !', 401, 'invalid_client'],
    ['other scope', { ...password('Maria'), scope: 'admin' }, cli, 401, 'invalid_scope'],
    ['no password', { grant_type: 'password', username: 'Maria' }, cli, 400, 'invalid_request'],
    ['no grant type', {}, cli, 400, 'unsupported_grant_type'],
    ['other grant type', { grant_type: 'client_credentials' }, cli, 400, 'unsupported_grant_type'],
  ] as [string, Record<string, string>, string, number, string][])(
    'refuses %s as JSON',
    async (_case, form, authorization, status, error) => {
      const response = await grant(form, authorization);

      expect(response.status).toBe(status);
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(await response.json()).toMatchObject({ error });
    },
  );

  it('does not know inactive users', async () => {
    const { id } = await server.createUser({ name: 'gone' });
    await server.services.database.queries
      .updateTable('user')
      .set({ is_active: 0 })
      .where('id', '=', id)
      .execute();

    expect((await grant(password('gone'))).status).toBe(401);
  });

  it('keeps several tokens of one person good at once, each for an hour', async () => {
    const first = await signIn();
    const second = await signIn();

    expect(await statusWith(first.access_token)).toBe(200);
    expect(await statusWith(second.access_token)).toBe(200);
    clock.advance(61 * minute);
    expect(await statusWith(second.access_token)).toBe(401);
  });

  it('renews with a refresh token, which is used up after a moment', async () => {
    const { refresh_token: token } = await signIn();
    clock.advance(5 * 24 * 60 * minute);
    const refresh = () => grant({ grant_type: 'refresh_token', refresh_token: token });

    const renewed = (await (await refresh()).json()) as Tokens;

    expect(renewed.refresh_token).not.toBe(token);
    expect(await statusWith(renewed.access_token)).toBe(200);
    // The answer may have got lost: the client asks again.
    expect((await refresh()).status).toBe(200);
    clock.advance(2 * minute);
    expect((await refresh()).status).toBe(401);
  });

  it('does not take the refresh token of another client, nor one as an access token', async () => {
    const { refresh_token: token } = await signIn();

    expect((await grant({ grant_type: 'refresh_token', refresh_token: token }, worker)).status).toBe(401);
    expect(await statusWith(token)).toBe(401);
  });

  it('forgets a refresh token after thirty days', async () => {
    const { refresh_token: token } = await signIn();
    clock.advance(31 * 24 * 60 * minute);

    expect((await grant({ grant_type: 'refresh_token', refresh_token: token })).status).toBe(401);
  });

  it.each(['access_token', 'refresh_token'] as const)('revokes both tokens by the %s', async (which) => {
    const tokens = await signIn();

    const response = await post('/rest/oauth2/revoke', { token: tokens[which] });

    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
    expect(await statusWith(tokens.access_token)).toBe(401);
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    expect((await grant(refresh)).status).toBe(401);
  });

  it('leaves tokens of another client alone when revoking, and says nothing about it', async () => {
    const tokens = await signIn();

    expect((await post('/rest/oauth2/revoke', { token: tokens.access_token }, worker)).status).toBe(200);
    expect(await statusWith(tokens.access_token)).toBe(200);
    expect((await post('/rest/oauth2/revoke', {})).status).toBe(400);
  });

  it('delays the answer to guessing, and never refuses the right password', async () => {
    await server.createUser({ name: 'victim' });
    for (let tries = 0; tries < 4; tries += 1)
      expect((await grant(password('victim', 'guess'))).status).toBe(401);
    let isAnswered = false;
    const fifth = grant(password('victim', 'guess')).then((response) => {
      isAnswered = true;
      return response;
    });

    await clock.awaited(500);
    expect((await grant(password('victim'))).status).toBe(200);
    expect(isAnswered).toBe(false);
    clock.advance(1000);
    expect((await fifth).status).toBe(401);
  });
});
