import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { prepareAccounts } from './administrator.ts';
import { verifyPassword } from './password.ts';
import { findUser } from './users.ts';

let server: TestServer;
afterEach(() => server.close());

describe.each(databases)('the first start on %s', (database) => {
  it('makes an administrator whose password only the owner of the home can read', async () => {
    server = await startTestServer({ database });
    const file = join(server.home, 'administrator.json');

    const { username, password } = JSON.parse(await readFile(file, 'utf8')) as Record<string, string>;
    const user = await findUser(server.services.database.queries, '0');

    expect(username).toBe('root');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(user).toMatchObject({ id: '0', name: 'root', is_verified: 1, has_access: 1 });
    expect(await verifyPassword(password!, user!.password_hash)).toBe(true);
  });

  it('takes the password from the settings', async () => {
    server = await startTestServer({
      database,
      settings: { administrator: { name: 'boss', password: 'chosen' } },
    });

    const user = await findUser(server.services.database.queries, '0');

    expect(user?.name).toBe('boss');
    expect(await verifyPassword('chosen', user!.password_hash)).toBe(true);
  });

  it('changes nothing at the next start, and finds the password after a crash before the account was stored', async () => {
    server = await startTestServer({ database });
    const file = join(server.home, 'administrator.json');
    const before = await readFile(file, 'utf8');
    const { queries } = server.services.database;

    await prepareAccounts(server.services);
    await queries.deleteFrom('user').where('id', '=', '0').execute();
    await Promise.all([prepareAccounts(server.services), prepareAccounts(server.services)]);

    expect(await readFile(file, 'utf8')).toBe(before);
    const user = await findUser(queries, '0');
    const { password } = JSON.parse(before) as { password: string };
    expect(await verifyPassword(password, user!.password_hash)).toBe(true);
    expect(
      await queries.selectFrom('user_group').selectAll().where('user_defined', '=', 0).execute(),
    ).toHaveLength(1);
  });
});
