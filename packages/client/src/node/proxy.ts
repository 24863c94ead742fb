/** Goes through the proxy that the environment names (cli.md §2.7). */
import type { RequestOptions } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { ConnectionError } from '../connection-error.ts';

export interface ProxySettings {
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  /** Hosts that are reached directly, separated by commas; `*` for all. */
  readonly none?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined where no proxy is configured. Names in small letters win. */
export function proxySettings(environment: Environment): ProxySettings | undefined {
  const named = (name: string) => environment[name] || environment[name.toUpperCase()] || undefined;
  // HTTP_PROXY in capitals may come from a request's `Proxy` header in a CGI program, where REQUEST_METHOD is set.
  const http = environment['REQUEST_METHOD'] === undefined ? named('http_proxy') : environment['http_proxy'];
  const https = named('https_proxy');
  if (http === undefined && https === undefined) return undefined;
  return { http, https, none: named('no_proxy') };
}

/** Whether a host is exempt: equal to an entry, or below one (`.example.org` and `example.org` alike). */
export function bypasses(host: string, none: string | undefined): boolean {
  if (none === undefined) return false;
  return none.split(',').some((entry) => {
    const name = entry.trim().replace(/^\./, '').replace(/:\d+$/, '').toLowerCase();
    return name === '*' || (name !== '' && (host === name || host.endsWith(`.${name}`)));
  });
}

export interface Route {
  readonly options: RequestOptions;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where the proxy for this URL is, and what it wants to be told; undefined for a direct connection. */
export function addressOfProxy(
  target: URL,
  settings: ProxySettings,
): { host: string; port: number; headers: Record<string, string> } | undefined {
  const setting = target.protocol === 'https:' ? settings.https : settings.http;
  if (setting === undefined || bypasses(target.hostname.toLowerCase(), settings.none)) return undefined;
  const proxy = new URL(setting.includes('://') ? setting : `http://${setting}`);
  const headers: Record<string, string> =
    proxy.username === ''
      ? {}
      : {
          'proxy-authorization': `Basic ${btoa(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`)}`,
        };
  return { host: proxy.hostname, port: proxy.port === '' ? 80 : Number(proxy.port), headers };
}

/** What to hand to `http.request` for this URL; undefined for a direct connection. */
export async function proxyFor(url: string, settings: ProxySettings): Promise<Route | undefined> {
  const target = new URL(url);
  const secure = target.protocol === 'https:';
  const proxy = addressOfProxy(target, settings);
  if (proxy === undefined) return undefined;
  const { host, port, headers } = proxy;
  if (!secure) {
    const options = { host, port, path: url };
    return { options, headers: { host: target.host, ...headers } };
  }
  const socket = await tunnel(host, port, target, headers);
  const path = `${target.pathname}${target.search}`;
  return {
    options: { host: target.hostname, path, agent: false, createConnection: () => socket },
    headers: { host: target.host },
  };
}

function tunnel(
  host: string,
  port: number,
  target: URL,
  headers: Record<string, string>,
): Promise<TLSSocket> {
  const { request } = process.getBuiltinModule('node:http');
  const { connect } = process.getBuiltinModule('node:tls');
  const authority = `${target.hostname}:${target.port === '' ? 443 : target.port}`;
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) =>
      reject(
        new ConnectionError(`The proxy ${host}:${port} does not lead to ${authority}: ${why}.`, { cause }),
      );
    request({ host, port, method: 'CONNECT', path: authority, headers: { ...headers, host: authority } })
      .on('connect', (answer, socket) => {
        if (answer.statusCode === 200) resolve(connect({ socket, servername: target.hostname }));
        else fail(`it answered ${answer.statusCode}`);
      })
      .on('error', (error) => fail(error.message, error))
      .end();
  });
}
