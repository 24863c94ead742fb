/* What tests of records say over and over: making things over HTTP, and reading answers. */
import { expect } from 'vitest';
import { updateBundle } from '../bundles/transition.ts';
import type { TestServer } from './test-server.ts';

export interface AnyResource {
  type: string;
  id: string;
  attributes: Record<string, unknown>;
  relationships?: Record<
    string,
    { data: { type: string; id: string } | { type: string; id: string }[] | null }
  >;
  meta?: Record<string, unknown>;
}

export interface Answer {
  status: number;
  text: string;
  /** Empty unless the answer was a document. */
  data: AnyResource[];
  included: AnyResource[];
  meta: Record<string, unknown>;
}

type Options = Parameters<TestServer['fetch']>[1];

/** Asks and reads whatever comes; a single resource comes as a list of one. */
export async function ask(server: TestServer, path: string, options: Options = {}): Promise<Answer> {
  const response = await server.fetch(path, options);
  const text = await response.text();
  const isJson = response.headers.get('content-type') === 'application/json';
  const body = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>;
  const data = body['data'];
  return {
    status: response.status,
    text,
    data: (Array.isArray(data) ? data : data === undefined ? [] : [data]) as AnyResource[],
    included: (body['included'] ?? []) as AnyResource[],
    meta: (body['meta'] ?? {}) as Record<string, unknown>,
  };
}

/** The same, where anything but success is a mistake of the test. */
export async function succeed(server: TestServer, path: string, options: Options = {}): Promise<Answer> {
  const answer = await ask(server, path, options);
  expect(answer.status, `${options.method ?? 'GET'} ${path}: ${answer.text}`).toBeLessThan(300);
  return answer;
}

function firstId(data: readonly AnyResource[]): string {
  const [first] = data;
  if (first === undefined) throw new Error('The answer is empty.');
  return first.id;
}

/** The uuid of a new worksheet. */
export async function makeWorksheet(server: TestServer, as: string, name: string): Promise<string> {
  const json = { data: [{ type: 'worksheets', attributes: { name } }] };
  const { data } = await succeed(server, '/rest/worksheets', { as, method: 'POST', json });
  return firstId(data);
}

/** The uuid of a new group of these people. */
export async function makeGroup(
  server: TestServer,
  as: string,
  name: string,
  members: readonly string[] = [],
): Promise<string> {
  const json = { data: [{ type: 'groups', attributes: { name } }] };
  const { data } = await succeed(server, '/rest/groups', { as, method: 'POST', json });
  const users = [];
  for (const member of members) {
    await server.tokenFor(member);
    users.push(...(await succeed(server, `/rest/users/${member}`)).data);
  }
  const path = `/rest/groups/${name}/relationships/members`;
  await succeed(server, path, {
    as,
    method: 'POST',
    json: { data: users.map(({ type, id }) => ({ type, id })) },
  });
  return firstId(data);
}

export async function allowOn(
  server: TestServer,
  kind: 'bundle' | 'worksheet',
  as: string,
  uuid: string,
  groupUuid: string,
  permission: number,
): Promise<Answer> {
  const relationships = {
    [kind]: { data: { type: `${kind}s`, id: uuid } },
    group: { data: { type: 'groups', id: groupUuid } },
  };
  const json = { data: [{ type: `${kind}-permissions`, attributes: { permission }, relationships }] };
  return await ask(server, `/rest/${kind}-permissions`, { as, method: 'POST', json });
}

/** Sets what only the run side or an upload would set. */
export async function setBundle(
  server: TestServer,
  uuid: string,
  { state, size }: { state?: string; size?: number },
): Promise<void> {
  const { unitOfWork, clock } = server.services;
  await unitOfWork(async (unit) => {
    if (state !== undefined) {
      await unit.queries.updateTable('bundle').set({ state }).where('uuid', '=', uuid).execute();
    }
    const metadata = size === undefined ? {} : { data_size: size };
    await updateBundle(unit, uuid, { metadata }, clock.now());
  });
}
