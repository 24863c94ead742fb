import { request } from 'node:http';
import { clientDefaults } from '@sheaf/domain';
import { pythonImage, requireDockerEngine, requireRegistry } from '@sheaf/testkit';
import type { BundleChange } from '@sheaf/wire';
import { Installation } from '../tests/support/installation.ts';
import { engineCall, templateOf } from './engine.ts';
import { median, milliseconds, percentile, type Measurement } from './measure.ts';

const rounds = 40;

interface Inspected {
  State: { StartedAt: string; FinishedAt: string };
}

/**
 * From the request that creates a run to the start of its container's process, and from that process's end to `ready`. The floor is
 * the engine's own create and start of the very same container (image, network, limits, mounts), alternating with ours.
 */
export const runLatency: Measurement = {
  name: 'run-latency',
  async run() {
    const engine = await requireDockerEngine();
    const registry = await requireRegistry();
    const image = await pythonImage(registry);
    const installation = await Installation.start('docker');
    try {
      const client = await connect(installation);
      const { template } = await templateOf(engine.socketPath, client, image);
      const ours: number[] = [];
      const ends: number[] = [];
      const floor: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        floor.push(await engineStart(engine.socketPath, template));
        const { toStart, toReady } = await client.execute(image);
        ours.push(toStart);
        ends.push(toReady);
      }
      const addition = median(ours) - median(floor);
      const additionP95 = percentile(ours, 95) - percentile(floor, 95);
      return [
        {
          what: `create → container process started (median of ${rounds})`,
          ours: milliseconds(median(ours)),
          floor: `engine, create + start of the same container: ${milliseconds(median(floor))}`,
          bound: `≤ 60 ms more (measured ${milliseconds(addition)})`,
          holds: addition <= 60,
        },
        {
          what: 'the same, 95th percentile',
          ours: milliseconds(percentile(ours, 95)),
          floor: `engine: ${milliseconds(percentile(floor, 95))}`,
          bound: `≤ 150 ms more (measured ${milliseconds(additionP95)})`,
          holds: additionP95 <= 150,
        },
        {
          what: 'last act of the command → `ready`, 1 kB result (median)',
          ours: milliseconds(median(ends)),
          floor: '-',
          bound: '≤ 100 ms',
          holds: median(ends) <= 100,
        },
      ];
    } finally {
      await installation.stop();
      await registry.stop();
    }
  },
};

/** Creates runs over the server's REST API, and times them. */
export async function connect(installation: Installation) {
  const headers = {
    authorization: `Bearer ${await installation.token()}`,
    'content-type': 'application/json',
  };
  const { url } = installation;

  async function create(image: string, command: string, parent?: string): Promise<string> {
    const answer = await fetch(`${url}/rest/bundles?detached=1`, {
      method: 'POST',
      headers,
      body: JSON.stringify({
        data: [
          {
            type: 'bundles',
            attributes: {
              bundle_type: 'run',
              command,
              metadata: runMetadata(image),
              dependencies:
                parent === undefined ? [] : [{ parent_uuid: parent, parent_path: '', child_path: 'input' }],
            },
          },
        ],
      }),
    });
    const document = (await answer.json()) as { data: { id: string }[] };
    return document.data[0]?.id ?? '';
  }

  async function ready(uuid: string): Promise<number> {
    for (let after = 0; ;) {
      const answer = await fetch(`${url}/rest/bundles/${uuid}/changes?after=${after}&timeout=30`, {
        headers,
      });
      const change = (await answer.json()) as { data: BundleChange };
      if (change.data.state === 'ready') return Date.now();
      if (change.data.state === 'failed') throw new Error(`${uuid} failed`);
      after = change.data.version;
    }
  }

  async function output(uuid: string): Promise<string> {
    const answer = await fetch(`${url}/rest/bundles/${uuid}/contents/blob/stdout`, { headers });
    return answer.text();
  }

  /** Several at a time, as their users would; answers in the order in which they were asked for. */
  async function createMany(count: number, image: string, command: string): Promise<string[]> {
    const uuids: string[] = [];
    let next = 0;
    const loop = async (): Promise<void> => {
      while (next < count) {
        const at = next;
        next += 1;
        uuids[at] = await create(image, command);
      }
    };
    await Promise.all([loop(), loop()]);
    return uuids;
  }

  return {
    create,
    createMany,
    ready,
    async kill(uuid: string) {
      await fetch(`${url}/rest/bundle-actions`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid } }] }),
      });
      await installation.finished(uuid);
    },
    /** @param parent a bundle that the run depends on */
    async execute(image: string, parent?: string) {
      const createdAt = Date.now();
      const uuid = await create(image, 'head -c 1000 /dev/zero > result; date +%s%3N', parent);
      // The container is removed soon after it ended; its times are asked for while it runs or just after.
      const times = watchTimes(uuid);
      const readyAt = await ready(uuid);
      const { startedAt } = await times;
      const finishedAt = Number(await output(uuid));
      return { toStart: startedAt - createdAt, toReady: readyAt - finishedAt };
    },
  };
}

/** Start of a run's process, from the engine's events; resolves when its container is gone. */
async function watchTimes(uuid: string): Promise<{ startedAt: number }> {
  return new Promise((resolve, reject) => {
    let startedAt = 0;
    const filters = JSON.stringify({ type: ['container'], label: [`sheaf.run=${uuid}`] });
    const since = Math.floor(Date.now() / 1000) - 5;
    const outgoing = request(
      {
        socketPath: '/var/run/docker.sock',
        path: `/events?since=${since}&filters=${encodeURIComponent(filters)}`,
      },
      (response) => {
        let buffered = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          buffered += text;
          const lines = buffered.split('\n');
          buffered = lines.pop() ?? '';
          for (const line of lines) {
            const event = JSON.parse(line) as { Action: string; timeNano: number };
            if (event.Action === 'start') startedAt = event.timeNano / 1e6;
            // Only then is the engine free again: the next measurement is not to pay for this container's removal.
            if (event.Action === 'destroy') {
              resolve({ startedAt });
              outgoing.destroy();
            }
          }
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Milliseconds from the create request to the started process, by the engine alone; the container is removed afterwards. */
async function engineStart(socketPath: string, template: Record<string, unknown>): Promise<number> {
  const begin = Date.now();
  const created = (await engineCall(socketPath, 'POST', '/containers/create', template)) as { Id: string };
  await engineCall(socketPath, 'POST', `/containers/${created.Id}/start`);
  await engineCall(socketPath, 'POST', `/containers/${created.Id}/wait`);
  const inspected = (await engineCall(socketPath, 'GET', `/containers/${created.Id}/json`)) as Inspected;
  await engineCall(socketPath, 'DELETE', `/containers/${created.Id}?force=1`);
  return Date.parse(inspected.State.StartedAt) - begin;
}

function runMetadata(image: string): Record<string, unknown> {
  return { ...clientDefaults('run'), name: 'latency', request_docker_image: image };
}
