/**
 * Requests over node:http and node:https with connections kept open. Not `fetch`: importing it alone costs more than most
 * commands of `cl` take.
 */
import type * as Http from 'node:http';
import { ConnectionError } from '../connection-error.ts';
import { isReplayable, type Transport, type TransportRequest } from '../transport.ts';
import { briefExchange, isBrief } from './brief-exchange.ts';
import { exchange, StaleConnection } from './exchange.ts';
import { proxyFor, type ProxySettings } from './proxy.ts';

/** Loaded with the first request only: commands that make none must not pay for it. */
const loadHttp = (secure: boolean): Pick<typeof Http, 'Agent' | 'request'> =>
  secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');

/** Requests that may be sent again when an idle connection turns out to be closed. */
const repeatable = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);

export interface NodeTransportOptions {
  /** From the environment: `http_proxy`, `https_proxy`, `no_proxy`. None unless given. */
  readonly proxy?: ProxySettings;
  /** Connections to one server at a time; no limit unless given. */
  readonly connections?: number;
  /** Small questions go on connections of their own: right for programs that ask a few things and end. */
  readonly brief?: boolean;
}

export interface NodeTransport extends Transport {
  /** Closes idle connections, so that the process can end. */
  close(): void;
}

export function nodeTransport(options: NodeTransportOptions = {}): NodeTransport {
  const agents = new Map<boolean, Http.Agent>();
  const agentFor = (secure: boolean): Http.Agent => {
    const known = agents.get(secure);
    if (known !== undefined) return known;
    const { Agent } = loadHttp(secure);
    const agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? Infinity });
    agents.set(secure, agent);
    return agent;
  };
  /** A function that begins the request, and can begin it again. */
  const opener = async (request: TransportRequest): Promise<() => Http.ClientRequest> => {
    const { method, url, headers } = request;
    const secure = url.startsWith('https:');
    if (!secure && !url.startsWith('http:')) {
      throw new ConnectionError(`"${url.replace(/\/rest\/.*$/, '')}" is not the address of a server.`);
    }
    const open = loadHttp(secure).request;
    const proxy = options.proxy === undefined ? undefined : await proxyFor(url, options.proxy);
    if (proxy === undefined) return () => open(url, { method, headers, agent: agentFor(secure) });
    return () => open({ ...proxy.options, method, headers: { ...headers, ...proxy.headers } });
  };
  return {
    async send(request) {
      if (options.brief === true && options.proxy === undefined && isBrief(request))
        return briefExchange(request);
      const open = await opener(request);
      try {
        return await exchange(open(), request);
      } catch (error) {
        if (!(error instanceof StaleConnection)) throw error;
        if (!repeatable.has(request.method) || !isReplayable(request.body)) throw error.failure;
        return exchange(open(), request);
      }
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}
