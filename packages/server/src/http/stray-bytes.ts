/*
 * After an upload, original clients write one NUL byte a minute while they wait for the answer (rest-api.md §1.3, item 6). A
 * parser takes that for a broken next request; the answer in progress must still arrive.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

interface ParserError {
  code?: string | undefined;
  rawPacket?: unknown;
  /** How much of the packet was understood: the byte may come together with the end of the request. */
  bytesParsed?: unknown;
}

export interface StrayBytes {
  /** Notes which connections wait for an answer. */
  watch(server: Server): void;
  handle(error: ParserError, socket: Duplex): void;
}

export function createStrayBytes(): StrayBytes {
  const pending = new WeakMap<Duplex, ServerResponse>();
  return {
    watch(server) {
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        pending.set(request.socket, response);
        response.once('close', () => {
          if (pending.get(request.socket) === response) pending.delete(request.socket);
        });
      });
    },
    handle(error, socket) {
      const response = pending.get(socket);
      if (response !== undefined && isNulBytes(error)) {
        // The parser is lost after the byte, so the connection serves this answer and no further request.
        response.shouldKeepAlive = false;
        response.once('finish', () => socket.end());
        return;
      }
      if (socket.writable && response?.headersSent !== true) socket.write(refusal(error.code));
      socket.destroy();
    },
  };
}

function isNulBytes({ rawPacket, bytesParsed }: ParserError): boolean {
  if (!(rawPacket instanceof Uint8Array)) return false;
  // For a byte that comes by itself, Node still names the count of the packet before.
  const understood = typeof bytesParsed === 'number' && bytesParsed < rawPacket.length ? bytesParsed : 0;
  const stray = rawPacket.subarray(understood);
  return stray.length > 0 && stray.every((byte) => byte === 0);
}

function refusal(code: string | undefined): string {
  const status =
    code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  const body = `${status.slice(4)}\n`;
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
}
