import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { Interposer } from './interposer.ts';

let server: Server;
let line: Interposer;
let heard: string[];
beforeEach(async () => {
  heard = [];
  server = createServer((incoming, response) => {
    let text = '';
    incoming
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => (text += chunk.toString()))
      .on('end', () => {
        heard.push(`${incoming.method} ${incoming.url} ${text}`);
        response.writeHead(201).end(`heard ${text.length}`);
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  line = await Interposer.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await line.close();
  await new Promise((resolve) => server.close(resolve));
});

/** Status and text, or the code of what went wrong. */
function put(path: string, body: string): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request(`${line.url}${path}`, { method: 'PUT', agent: false }, (response) => {
      let text = '';
      response
        .on('data', (chunk: Buffer) => (text += chunk.toString()))
        .on('end', () => resolve(`${response.statusCode} ${text}`));
    });
    outgoing.on('error', (error) => resolve(String((error as NodeJS.ErrnoException).code)));
    outgoing.end(body);
  });
}

it('passes on, and counts', async () => {
  expect(await put('/a?b', 'hello')).toBe('201 heard 5');
  expect(heard).toEqual(['PUT /a?b hello']);
  expect(line.bytesTo(/^\/a/)).toBe(5);
  expect(line.bytesTo(/^\/c/)).toBe(0);
});

it('passes a request on twice, and answers once', async () => {
  line.fate = () => 'twice';

  expect(await put('/again', 'hello')).toBe('201 heard 5');
  expect(heard).toEqual(['PUT /again hello', 'PUT /again hello']);
});

it('answers in the name of the server, breaks, and loses answers', async () => {
  line.fate = ({ path }) =>
    path === '/busy' ? { status: 503 } : path === '/broken' ? 'break' : 'lose the answer';

  expect(await put('/busy', 'x')).toBe('503 no');
  expect(await put('/broken', 'x')).toBe('ECONNRESET');
  expect(await put('/lost', 'x')).toBe('ECONNRESET');
  expect(heard).toEqual(['PUT /lost x']);
});

it('lets a request hang, or stall in the middle, until all connections break', async () => {
  line.fate = ({ path }) => (path === '/hang' ? 'hang' : { stallAfter: 3 });
  const both = Promise.all([put('/hang', 'x'), put('/stall', 'hello')]);
  await eventually('both stuck', () => (line.stuck === 2 ? true : undefined));
  expect(line.bytesTo(/stall/)).toBe(3);

  line.breakAll();

  expect(await both).toEqual(['ECONNRESET', 'ECONNRESET']);
  expect(heard).toEqual([]);
});

it('goes away and comes back at the same address', async () => {
  const { url } = line;
  await line.goAway();
  expect(await put('/', '')).toBe('ECONNREFUSED');
  await line.comeBack();
  expect(line.url).toBe(url);
  expect(await put('/', '')).toBe('201 heard 0');
});
