/* Bundles for tests, made over HTTP as clients make them. */
import { expect } from 'vitest';
import type { TestServer } from '../../testing/test-server.ts';

export interface NewBundle {
  as?: string;
  type?: 'run' | 'make' | 'dataset';
  command?: string;
  metadata?: Record<string, unknown>;
  dependencies?: { child_path: string; parent_uuid: string; parent_path?: string }[];
  /** Further query parameters, such as `wait_for_upload=1`. */
  query?: string;
}

const runMetadata = {
  request_docker_image: '',
  request_time: '',
  request_memory: '2g',
  request_disk: '',
  request_cpus: 1,
  request_gpus: 0,
  request_queue: '',
  request_priority: 0,
  request_network: true,
  exclude_patterns: [],
  store: '',
  allow_failed_dependencies: false,
};

/** The uuid of a new bundle. */
export async function createBundle(server: TestServer, bundle: NewBundle = {}): Promise<string> {
  const {
    as = 'root',
    type = 'run',
    command = 'true',
    metadata = {},
    dependencies = [],
    query = '',
  } = bundle;
  const attributes = {
    bundle_type: type,
    command: type === 'run' ? command : null,
    metadata: {
      name: `${type}-of-test`,
      description: '',
      tags: [],
      ...(type === 'run' ? runMetadata : {}),
      ...(type === 'make' ? { allow_failed_dependencies: false } : {}),
      ...(type === 'dataset' ? { license: '', source_url: '' } : {}),
      ...metadata,
    },
    dependencies: dependencies.map((dependency) => ({ parent_path: '', ...dependency })),
  };
  const response = await server.fetch(`/rest/bundles?detached=1&${query}`, {
    as,
    method: 'POST',
    json: { data: [{ type: 'bundles', attributes }] },
  });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  const created = JSON.parse(text) as { data: { id: string }[] };
  return created.data[0]?.id ?? '';
}

export interface BundleView {
  state: string;
  metadata: Record<string, unknown>;
  details: string | null;
}

export async function viewBundle(server: TestServer, uuid: string, as = 'root'): Promise<BundleView> {
  const response = await server.fetch(`/rest/bundles/${uuid}`, { as });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  const { attributes } = (
    JSON.parse(text) as {
      data: {
        attributes: { state: string; state_details: string | null; metadata: Record<string, unknown> };
      };
    }
  ).data;
  return { state: attributes.state, metadata: attributes.metadata, details: attributes.state_details };
}

/** Waits until the bundle is in one of the states; fails with what it is instead. */
export async function untilState(
  server: TestServer,
  uuid: string,
  states: readonly string[],
  as = 'root',
): Promise<BundleView> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const view = await viewBundle(server, uuid, as);
    if (states.includes(view.state)) return view;
    if (Date.now() > deadline)
      throw new Error(`${uuid} is ${view.state} (${view.details}), not ${states.join(' or ')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function until<Value>(look: () => Promise<Value | undefined>, what: string): Promise<Value> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`Never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A dataset with one file. */
export async function uploadFile(
  server: TestServer,
  content: string | Uint8Array,
  { as = 'root', filename = 'data.txt', unpack = 0, expectStatus = 200 } = {},
): Promise<string> {
  const uuid = await createBundle(server, { as, type: 'dataset', query: 'wait_for_upload=1' });
  const response = await putContents(server, uuid, content, {
    as,
    query: `filename=${filename}&unpack=${unpack}`,
  });
  expect(response.status, await response.text()).toBe(expectStatus);
  return uuid;
}

export async function putContents(
  server: TestServer,
  uuid: string,
  body: string | Uint8Array,
  {
    as = 'root',
    query = '',
    headers = {},
  }: { as?: string; query?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  return await server.fetch(`/rest/bundles/${uuid}/contents/blob/?${query}`, {
    as,
    method: 'PUT',
    body,
    headers,
  });
}

export async function diskUsed(server: TestServer, as: string): Promise<number> {
  const response = await server.fetch('/rest/user', { as });
  const document = (await response.json()) as { data: { attributes: { disk_used: number } } };
  return document.data.attributes.disk_used;
}
