/* Where the name and password of a registry go, and where they do not, whatever the registry answers. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RegistryLogin } from '../docker/registry-login.ts';
import { digestOf } from '../image-store/fixtures/publish.ts';
import { RegistryError, Repository } from './client.ts';

const secret = 'a-password';
const document = Buffer.from('{"some":"document"}');
const digest = digestOf(document);

interface Host {
  readonly server: Server;
  readonly address: string;
  /** All that it was ever told. */
  readonly heard: string[];
  answer: (request: IncomingMessage, response: ServerResponse) => void;
}

let registry: Host;
let other: Host;

async function host(): Promise<Host> {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { authorization = '' } = request.headers;
      const said = authorization.replace(/^Basic (.*)/, (_, packed: string) =>
        Buffer.from(packed, 'base64').toString(),
      );
      heard.push(`${request.method} ${request.url} ${said} ${body}`);
      made.answer(request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const made: Host = {
    server,
    address: `127.0.0.1:${port}`,
    heard,
    answer: (_, response) => void response.writeHead(404).end(),
  };
  return made;
}

beforeEach(async () => {
  registry = await host();
  other = await host();
});
afterEach(() => {
  for (const { server } of [registry, other]) {
    server.close();
    server.closeAllConnections();
  }
});

const named: RegistryLogin = { username: 'me', password: secret, serveraddress: '' };

function repository(login: RegistryLogin = named): Repository {
  const name = `${registry.address}/some/image`;
  return new Repository({ repository: name, login, plain: true, signal: new AbortController().signal });
}

function wantsBasic({ headers }: IncomingMessage, response: ServerResponse): boolean {
  if (headers.authorization !== undefined) return false;
  response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end();
  return true;
}

it('go to the registry that asks for them', async () => {
  registry.answer = (request, response) => {
    if (!wantsBasic(request, response)) response.end(document);
  };

  expect(await repository().document('blobs', digest)).toEqual({ some: 'document' });
  expect(registry.heard.join()).toContain(`me:${secret}`);
});

it('do not follow where the registry sends its readers', async () => {
  registry.answer = (request, response) => {
    if (!wantsBasic(request, response))
      response.writeHead(307, { location: `http://${other.address}/store` }).end();
  };
  other.answer = (_, response) => void response.end(document);

  expect(await repository().document('blobs', digest)).toEqual({ some: 'document' });
  expect(other.heard).toHaveLength(1);
  expect(other.heard.join()).not.toContain(secret);
});

it('are not given to whom another host names, when the registry has sent its reader there', async () => {
  registry.answer = (_, response) =>
    void response.writeHead(307, { location: `http://${other.address}/store` }).end();
  other.answer = ({ url }, response) => {
    if (url === '/store') {
      const challenge = `Bearer realm="http://${other.address}/token",service="any"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    } else response.end('{"token":"any"}');
  };

  await expect(repository().document('blobs', digest)).rejects.toThrow('unauthorized');
  expect(other.heard.map((line) => line.split(' ', 2).join(' '))).toEqual(['GET /store']);
});

it.each([307, 308])('in the place of a password do not follow a redirection (%i) either', async (status) => {
  const challenge = `Bearer realm="http://${registry.address}/token",service="any"`;
  registry.answer = ({ url }, response) => {
    if (url === '/token') response.writeHead(status, { location: `http://${other.address}/token` }).end();
    else response.writeHead(401, { 'www-authenticate': challenge }).end();
  };
  other.answer = (_, response) => void response.end('{"token":"any"}');
  const login = { username: '', password: '', serveraddress: '', identitytoken: secret };

  await expect(repository(login).document('blobs', digest)).rejects.toThrow('unauthorized');
  expect(registry.heard.join()).toContain(secret);
  expect(other.heard).toEqual([]);
});

it('a document that never ends is given up', async () => {
  registry.answer = (_, response) => {
    const piece = Buffer.alloc(1 << 20);
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', more);
    more();
  };

  const read = repository().document('blobs', digest);
  await expect(read).rejects.toThrow(/never ends/);
  await expect(read).rejects.toBeInstanceOf(RegistryError);
});

it('a digest from a registry is one, or is worked out', async () => {
  registry.answer = (_, response) =>
    void response.writeHead(200, { 'docker-content-digest': '../../other/manifests/latest' }).end(document);

  expect(await repository().resolve('latest')).toBe(digest);
  await expect(repository().document('blobs', '../../other/blobs/x')).rejects.toThrow(/no digest/);
});
