/** Where an engine listens, as written in DOCKER_HOST. */

export type EngineAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/**
 * Reads `unix:///path`, a bare `/path`, `tcp://host:port` or `http://host:port`.
 * Undefined: another scheme (ssh, npipe), or not an address at all.
 */
export function parseEngineAddress(text: string): EngineAddress | undefined {
  if (text.startsWith('/')) {
    return { kind: 'socket', path: text };
  }
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    return path.startsWith('/') ? { kind: 'socket', path } : undefined;
  }
  // As tcp, so that no port is taken for a default one and dropped.
  const tcp = text.replace(/^http:/, 'tcp:');
  if (!tcp.startsWith('tcp://') || !URL.canParse(tcp)) {
    return undefined;
  }
  const { hostname, port } = new URL(tcp);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return host === '' ? undefined : { kind: 'tcp', host, port: Number(port || 2375) };
}

export function formatEngineAddress(address: EngineAddress): string {
  return address.kind === 'socket' ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`;
}
