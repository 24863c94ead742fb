import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteUsers } from '../accounts/delete-user.ts';
import { revokeToken } from '../accounts/tokens.ts';
import { changeUser } from '../accounts/user-changes.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { viewerFrom } from './viewer.ts';

describe.each(databases)('a token that was good a moment ago (%s)', (database) => {
  let server: TestServer;
  let elapsed = 0;
  let now = Date.now();
  beforeAll(async () => {
    server = await startTestServer({
      database,
      clock: { now: () => now, elapsed: () => elapsed, after: () => () => undefined },
    });
  });
  afterAll(() => server.close());

  const asks = async (token: string) => {
    const answer = await fetch(`${server.url}/rest/workers/info`, {
      headers: { authorization: `Bearer ${token}`, 'x-requested-with': 'XMLHttpRequest' },
    });
    await answer.arrayBuffer();
    return answer.status;
  };

  it('is refused at once when it is revoked', async () => {
    const token = await server.tokenFor('revoking');
    expect(await asks(token)).toBe(200);

    const { client_id: client } = await server.services.database.queries
      .selectFrom('token')
      .innerJoin('user', 'user.id', 'token.user_id')
      .select('client_id')
      .where('user.name', '=', 'revoking')
      .executeTakeFirstOrThrow();
    await server.services.unitOfWork((unit) => revokeToken(unit, token, client));

    expect(await asks(token)).toBe(401);
  });

  it('is refused at once when its user is deleted', async () => {
    const user = await server.createUser({ name: 'leaving' });
    const token = await server.tokenFor('leaving');
    expect(await asks(token)).toBe(200);

    await server.services.unitOfWork((unit) => deleteUsers(unit, viewerFrom(user), [user.id]));

    expect(await asks(token)).toBe(401);
  });

  it('is refused when its time is over', async () => {
    const token = await server.tokenFor('expiring');
    expect(await asks(token)).toBe(200);

    const before = now;
    now += 3600_000;

    expect(await asks(token)).toBe(401);
    now = before;
  });

  it('follows changes of the account at once', async () => {
    const user = await server.createUser({ name: 'changing' });
    const token = await server.tokenFor('changing');
    expect(await asks(token)).toBe(200);

    await server.services.unitOfWork((unit) => changeUser(unit, user, { is_verified: false }));

    expect(await asks(token)).toBe(401);
  });

  it('is asked about again after a few seconds, as another server may know better', async () => {
    const user = await server.createUser({ name: 'elsewhere' });
    const token = await server.tokenFor('elsewhere');
    expect(await asks(token)).toBe(200);
    // What another server on the same database does tells this one nothing.
    await server.services.database.queries
      .updateTable('user')
      .set({ is_active: 0 })
      .where('id', '=', user.id)
      .execute();

    elapsed += 5001;

    expect(await asks(token)).toBe(401);
  });
});
