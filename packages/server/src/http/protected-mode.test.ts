import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ database: 'sqlite', settings: { protectedMode: true } });
  await server.createUser({ name: 'outsider', hasAccess: false });
});
afterAll(() => server.close());

it.each([
  ['/rest/bundles?keywords=x', undefined, 401],
  ['/rest/bundles?keywords=x', 'outsider', 401],
  ['/rest/bundles?keywords=x', 'maria', 200],
  ['/rest/groups', 'outsider', 401],
  ['/rest/groups', 'maria', 200],
  ['/rest/user', 'outsider', 200],
  ['/rest/users/root', undefined, 200],
])('%s asked by %s: %d', async (path, as, status) => {
  const response = await server.fetch(path, as === undefined ? {} : { as });

  expect(response.status).toBe(status);
});

it('does not exempt root, who can take and give access', async () => {
  const give = (has_access: boolean, id: string) =>
    server.fetch('/rest/users', {
      as: 'root',
      method: 'PATCH',
      json: { data: [{ type: 'users', id, attributes: { has_access } }] },
    });

  expect((await give(false, '0')).status).toBe(200);
  expect((await server.fetch('/rest/groups', { as: 'root' })).status).toBe(401);
  expect((await give(true, '0')).status).toBe(200);
  expect((await server.fetch('/rest/groups', { as: 'root' })).status).toBe(200);
});

it('refuses access for somebody who is not verified', async () => {
  const { id } = await server.createUser({ name: 'unsure', isVerified: false });

  const response = await server.fetch('/rest/users', {
    as: 'root',
    method: 'PATCH',
    json: { data: [{ type: 'users', id, attributes: { has_access: true } }] },
  });

  expect(response.status).toBe(400);
});
