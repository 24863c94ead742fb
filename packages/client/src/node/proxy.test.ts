import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startHttpServer, type HttpServer } from '../testing/http-server.ts';
import { bypasses, proxySettings } from './proxy.ts';
import { nodeTransport } from './transport.ts';

test('small letters win, and nothing set means no proxy', () => {
  expect(proxySettings({ HTTP_PROXY: 'http://a:1', http_proxy: 'http://b:2', NO_PROXY: 'x' })).toEqual({
    http: 'http://b:2',
    https: undefined,
    none: 'x',
  });
  expect(proxySettings({})).toBeUndefined();
  // What a web server takes from a request's headers is not the operator's wish.
  expect(proxySettings({ HTTP_PROXY: 'http://evil', REQUEST_METHOD: 'GET' })).toBeUndefined();
});

test.each([
  ['example.org', 'example.org', true],
  ['a.example.org', '.example.org', true],
  ['a.example.org', 'localhost, example.org:8080', true],
  ['badexample.org', 'example.org', false],
  ['example.org', '*', true],
  ['example.org', '', false],
  ['example.org', undefined, false],
])('%s with no_proxy %s: direct is %s', (host, none, direct) => {
  expect(bypasses(host, none)).toBe(direct);
});

describe('through a proxy', () => {
  let proxy: HttpServer;
  beforeEach(async () => {
    proxy = await startHttpServer((_, response) => void response.end('from the proxy'));
  });
  afterEach(() => proxy.close());

  const get = { method: 'GET', headers: {}, idleTimeout: 0 } as const;

  test('the whole address is asked for, with the name and password of the proxy', async () => {
    const http = proxy.address.replace('//', '//user:p%40ss@');
    const transport = nodeTransport({ proxy: { http } });
    const seenUrls: string[] = [];
    proxy.server.on('request', ({ url }) => seenUrls.push(url ?? ''));
    const answer = await transport.send({ ...get, url: 'http://far.example:81/rest/x?a=1' });
    expect(await answer.text()).toBe('from the proxy');
    expect(seenUrls).toEqual(['http://far.example:81/rest/x?a=1']);
    expect(proxy.seen[0]?.headers).toMatchObject({
      host: 'far.example:81',
      'proxy-authorization': `Basic ${btoa('user:p@ss')}`,
    });
    transport.close();
  });

  test('a secure address asks for a tunnel, and a refusal is said', async () => {
    const asked: string[] = [];
    proxy.server.on('connect', ({ url }, socket) => {
      asked.push(url ?? '');
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    const transport = nodeTransport({ proxy: { https: proxy.address } });
    await expect(transport.send({ ...get, url: 'https://far.example/rest/x' })).rejects.toThrow(
      'does not lead to far.example:443: it answered 403',
    );
    expect(asked).toEqual(['far.example:443']);
    transport.close();
  });
});
