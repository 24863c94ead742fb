import { checkinRequest, reportRequest, startBundleRequest } from '@sheaf/wire';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeTransport, type NodeTransport } from './node/transport.ts';
import { RestClient } from './rest-client.ts';
import { sendJson, startHttpServer, type HttpServer } from './testing/http-server.ts';
import { workerProtocol, type WorkerProtocol } from './worker-protocol.ts';

let server: HttpServer;
let transport: NodeTransport;
let worker: WorkerProtocol;

beforeEach(async () => {
  server = await startHttpServer((_, response) => sendJson(response, null));
  transport = nodeTransport();
  worker = workerProtocol(new RestClient({ address: server.address, transport }), 'gpu box/1');
});
afterEach(async () => {
  transport.close();
  await server.close();
});

test.each([
  ['nothing', null, []],
  ['one message', { type: 'kill', uuid: '0x1' }, [{ type: 'kill', uuid: '0x1' }]],
  [
    'a list',
    [{ type: 'kill', uuid: '0x1' }, { type: 'news' }],
    [{ type: 'kill', uuid: '0x1' }, { type: 'news' }],
  ],
])('a check-in is answered with %s', async (_, answer, messages) => {
  server.answer((__, response) => sendJson(response, answer));
  expect(await worker.checkin({ cpus: 2, protocol: 2, ack: [1], hold: 0 })).toEqual(messages);
  expect(server.seen[0]?.path).toBe('/rest/workers/gpu%20box%2F1/checkin');
  expect(checkinRequest.parse(JSON.parse(server.seen[0]?.body ?? ''))).toMatchObject({ cpus: 2, ack: [1] });
});

test('reports and questions have the shapes the server reads', async () => {
  await worker.report({ runs: [{ uuid: '0x1', state: 'running', epoch: 3 }], ack: [4] });
  server.answer((_, response) => sendJson(response, true));
  expect(await worker.startBundle('0x1', { hostname: 'h', start_time: 5, epoch: 3 })).toBe(true);
  server.answer((_, response) => sendJson(response, false));
  expect(await worker.startBundle('0x1', { hostname: 'h', start_time: 5 })).toBe(false);
  expect(reportRequest.parse(JSON.parse(server.seen[0]?.body ?? ''))).toMatchObject({ ack: [4] });
  expect(startBundleRequest.parse(JSON.parse(server.seen[1]?.body ?? ''))).toMatchObject({
    hostname: 'h',
    epoch: 3,
  });
});

test('answers to reads carry a header and bytes', async () => {
  server.answer((_, response) => void response.end());
  await worker.reply(7, { error_code: 404, error_message: 'no such file' });
  await worker.replyData(
    8,
    { ok: true },
    (async function* () {
      yield Buffer.from('bytes');
    })(),
  );
  await worker.checkout();
  expect(server.seen.map(({ path, body }) => [path.split('/').slice(4).join('/'), body])).toEqual([
    ['reply/7', '{"error_code":404,"error_message":"no such file"}'],
    ['reply_data/8', 'bytes'],
    ['checkout', '{}'],
  ]);
  expect(server.seen[1]?.query.get('header_message')).toBe('{"ok":true}');
});
