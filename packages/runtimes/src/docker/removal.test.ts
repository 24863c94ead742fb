import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineClient } from '../engine/client.ts';
import { EngineError } from '../engine/errors.ts';
import { removeContainer } from './removal.ts';

/** Real engines refuse to remove a container in few moments only: one that does it when it is told to. */
describe('removing a container', () => {
  let server: Server;
  let engine: EngineClient;
  let answers: { status: number; message: string }[];

  beforeEach(async () => {
    server = createServer((request, response) => {
      const answer =
        request.method === 'DELETE'
          ? answers.shift()
          : { status: 200, Version: '4.3.1', ApiVersion: '1.41', MinAPIVersion: '1.24' };
      response.statusCode = answer?.status ?? 404;
      response.end(JSON.stringify(answer ?? { message: 'no such container' }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    engine = await EngineClient.connect(
      { kind: 'tcp', host: '127.0.0.1', port },
      new AbortController().signal,
    );
  });
  afterEach(async () => {
    engine.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    { status: 409, message: 'removal of container c1 is already in progress' },
    { status: 500, message: 'sending SIGKILL to container c1: container state improper: stopped' },
  ])('is tried again after $status: $message', async (refusal) => {
    answers = [refusal, refusal];
    await removeContainer(engine, 'c1');
    expect(answers).toEqual([]);
  });

  it('fails where the engine cannot do it', async () => {
    answers = [{ status: 500, message: 'device or resource busy' }];
    await expect(removeContainer(engine, 'c1')).rejects.toThrow(EngineError);
  });
});
