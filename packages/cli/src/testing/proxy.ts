/** Stands between `cl` and a server in tests, and does to the connection what networks do. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Passing {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Sends what the server answers, whole. */
  readonly pass: () => Promise<void>;
  /** The bytes that the server answers, without sending them. */
  readonly fetch: () => Promise<{ status: number; headers: Record<string, string>; body: Buffer }>;
}

export interface Proxy {
  readonly address: string;
  close(): void;
}

/** @param decide told of each request; decides what becomes of it. */
export async function startProxy(
  target: string,
  decide: (passing: Passing) => void | Promise<void>,
): Promise<Proxy> {
  const server = createServer((request, response) => {
    const fetchAnswer: Passing['fetch'] = async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const answer = await fetch(target + (request.url ?? ''), {
        method: request.method ?? 'GET',
        headers: headersOf(request),
        ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
      });
      const body = Buffer.from(await answer.arrayBuffer());
      const headers = { ...Object.fromEntries(answer.headers), 'content-length': String(body.byteLength) };
      return { status: answer.status, headers, body };
    };
    const pass = async () => {
      const { status, headers, body } = await fetchAnswer();
      response.writeHead(status, headers).end(body);
    };
    void decide({ request, response, pass, fetch: fetchAnswer });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What concerns only one connection is not passed on. */
function headersOf(request: IncomingMessage): [string, string][] {
  const own = ['host', 'connection', 'transfer-encoding', 'content-length'];
  return Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
    own.includes(name) || typeof value !== 'string' ? [] : [[name, value]],
  );
}
