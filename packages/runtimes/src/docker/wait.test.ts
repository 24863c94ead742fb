import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineClient } from '../engine/client.ts';
import type { ContainerEvent } from '../engine/schema.ts';
import { ContainerEnds } from './ends.ts';
import { waitForContainer } from './wait.ts';

const never = new AbortController().signal;
const container = 'c1';

/** The real engine is seldom too early with the end of a container: one that always is. */
describe('waiting for a container that was killed', () => {
  let server: Server;
  let engine: EngineClient;
  let ends: ContainerEnds;
  let inspected: Promise<unknown>;

  beforeEach(async () => {
    let noteInspection: (value?: unknown) => void;
    inspected = new Promise((resolve) => (noteInspection = resolve));
    server = createServer((request, response) => {
      answer(request, response);
      if (request.url?.endsWith('/json')) {
        response.on('finish', () => noteInspection());
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    engine = await EngineClient.connect({ kind: 'tcp', host: '127.0.0.1', port }, never);
    ends = new ContainerEnds();
  });
  afterEach(async () => {
    engine.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('hears of the cause after the end', async () => {
    ends.hear(event('start'));
    const waiting = waitForContainer(engine, ends, container, never);

    await inspected;
    await engine.inspectContainer(container); // An answer later than the one that was waited for.
    ends.hear(event('die', 137));
    ends.hear(event('oom'));

    expect(await waiting).toMatchObject({ exitCode: 137, outOfMemory: true });
  });

  it.each([true, false])('ends without a cause where none is named (start heard: %s)', async (heard) => {
    if (heard) {
      ends.hear(event('start'));
    }

    const exit = await waitForContainer(engine, ends, container, never);

    expect(exit).toMatchObject({ exitCode: 137, outOfMemory: false });
  });
});

function event(action: ContainerEvent['Action'], exitCode?: number): ContainerEvent {
  return { Action: action, Actor: { ID: container, Attributes: { exitCode } }, timeNano: 1e18 };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const state = {
    Status: 'exited',
    Running: false,
    Pid: 0,
    OOMKilled: false,
    ExitCode: 137,
    StartedAt: '2026-01-01T00:00:00Z',
    FinishedAt: '2026-01-01T00:00:01Z',
  };
  const answers = {
    version: { Version: '20.10', ApiVersion: '1.41' },
    wait: { StatusCode: 137 },
    json: { Id: container, Name: '/c', State: state, Config: {}, NetworkSettings: {} },
  };
  const what = Object.entries(answers).find(([name]) =>
    new RegExp(`/${name}\\b[^/]*$`).test(request.url ?? ''),
  );
  response.end(JSON.stringify(what?.[1]));
}
