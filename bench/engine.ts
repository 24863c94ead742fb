/* The Engine API, spoken to directly: what runs of ours are measured against. */
import { request } from 'node:http';
import { eventually } from '@sheaf/testkit';
import type { connect } from './run-latency.ts';

/**
 * What the engine was asked for when a run of ours was started, without what belongs to that run alone; and the label by which
 * the worker knows its containers.
 */
export async function templateOf(
  socketPath: string,
  client: Pick<Awaited<ReturnType<typeof connect>>, 'create' | 'kill'>,
  image: string,
): Promise<{ readonly template: Record<string, unknown>; readonly worker: string }> {
  const uuid = await client.create(image, 'sleep 600');
  const inspected = await eventually('a container of ours', async () => {
    const filters = encodeURIComponent(JSON.stringify({ label: [`sheaf.run=${uuid}`], status: ['running'] }));
    const found = (await engineCall(socketPath, 'GET', `/containers/json?filters=${filters}`)) as {
      Id: string;
    }[];
    const id = found[0]?.Id;
    return id === undefined ? undefined : engineCall(socketPath, 'GET', `/containers/${id}/json`);
  });
  await client.kill(uuid);
  const { Config, HostConfig } = inspected as Record<'Config' | 'HostConfig', Record<string, unknown>>;
  const { Image, User, Env, Labels } = Config;
  const floor = {
    Image,
    User,
    Env,
    WorkingDir: '/directory',
    HostConfig: { ...HostConfig, ...limitsOf(HostConfig), Mounts: [], Binds: ['/tmp:/directory'] },
  };
  return {
    template: { ...floor, Entrypoint: [], Cmd: ['/bin/bash', '-c', 'true'] },
    worker: String((Labels as Record<string, unknown>)['sheaf.worker']),
  };
}

/** Podman does not take them in the words in which it tells them. */
function limitsOf({ Ulimits }: Record<string, unknown>): { readonly Ulimits?: unknown } {
  if (!Array.isArray(Ulimits)) return {};
  const limits = Ulimits as { readonly Name: string }[];
  return {
    Ulimits: limits.map((limit) => ({ ...limit, Name: limit.Name.replace(/^RLIMIT_/, '').toLowerCase() })),
  };
}

/** @param path below the version that our own client speaks, too */
export function engineCall(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath, path: `/v1.41${path}`, method, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => (text += more));
        response.on('end', () => {
          if ((response.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${text}`));
          else resolve(text === '' ? undefined : JSON.parse(text));
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
