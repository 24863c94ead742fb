import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Question {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** As it was sent. */
  readonly text: string;
}

export interface Answer {
  readonly status: number;
  readonly body?: object;
}

export interface JsonServer {
  readonly url: string;
  stop(): void;
}

/** A server on a loopback port that answers JSON. */
export async function jsonServer(answer: (question: Question) => Answer): Promise<JsonServer> {
  const server: Server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    request.once('end', () => {
      const url = new URL(request.url ?? '', `http://${request.headers.host ?? ''}`);
      const { status, body } = answer({ method: request.method ?? '', url, headers: request.headers, text });
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
