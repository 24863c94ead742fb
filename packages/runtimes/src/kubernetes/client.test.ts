import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ClusterClient } from './client.ts';

let server: Server;
let client: ClusterClient;
let answer: (path: string, response: ServerResponse) => void;
beforeEach(async () => {
  server = createServer((request, response) => answer(request.url ?? '', response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new ClusterClient({ host, token: 't', certificate: undefined }, { answer: 50, watch: 0.05 });
});
afterEach(() => {
  client.close();
  server.closeAllConnections();
  server.close();
});

const noAnswer = { name: 'ClusterError', status: 0 };

it('a connection that breaks in the middle of an answer is a cluster that does not answer', async () => {
  answer = (_, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('{"items":', () => response.destroy());
  };

  await expect(client.podsWith('app=a')).rejects.toMatchObject(noAnswer);
  await expect(client.log('a', 10)).rejects.toMatchObject(noAnswer);
});

it.each(['<html>', '{"kind":"Something"}', '[]'])(
  'something else that answers (%s) is no cluster',
  async (text) => {
    answer = (_, response) => void response.end(text);

    await expect(client.podsWith('app=a')).rejects.toMatchObject(noAnswer);
    await expect(client.createPod({})).rejects.toMatchObject(noAnswer);
  },
);

it('an answer that never ends is given up, also that of a watch', async () => {
  answer = (path, response) => {
    const watch = path.includes('watch=true');
    response.write(watch ? '' : '{"metadata":{"name":"a"}');
    if (watch) response.flushHeaders();
    else if (!path.includes('labelSelector')) response.end('}');
  };

  await expect(client.podsWith('app=a')).rejects.toMatchObject(noAnswer);
  const watching = async () => {
    for await (const pod of client.watchPod('a', new AbortController().signal))
      expect(pod?.metadata.name).toBe('a');
  };
  await expect(watching()).rejects.toMatchObject(noAnswer);
});
