/** A connection through the proxy that the environment names, for what is no plain request. */
import type { Socket } from 'node:net';
import { addressOfProxy, type ProxySettings } from './proxy.ts';

export type Tunnel = { readonly socket: Socket } | { readonly failure: Error };

/** Undefined for a direct connection. */
export async function openTunnel(url: string, settings: ProxySettings): Promise<Tunnel | undefined> {
  const target = new URL(url);
  const proxy = addressOfProxy(target, settings);
  if (proxy === undefined) return undefined;
  const { request } = process.getBuiltinModule('node:http');
  const secure = target.protocol === 'https:';
  const authority = `${target.hostname}:${target.port === '' ? (secure ? 443 : 80) : target.port}`;
  const headers = { ...proxy.headers, host: authority };
  return await new Promise((resolve) => {
    const fail = (why: string, cause?: unknown) =>
      resolve({
        failure: new Error(`the proxy ${proxy.host}:${proxy.port} does not lead to ${authority}: ${why}`, {
          cause,
        }),
      });
    request({ host: proxy.host, port: proxy.port, method: 'CONNECT', path: authority, headers })
      .on('connect', (answer, socket) => {
        if (answer.statusCode !== 200) fail(`it answered ${answer.statusCode}`);
        else if (secure) {
          const { connect } = process.getBuiltinModule('node:tls');
          resolve({ socket: connect({ socket, servername: target.hostname }) });
        } else resolve({ socket });
      })
      .on('error', (error) => fail(error.message, error))
      .end();
  });
}
