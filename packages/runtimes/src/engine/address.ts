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
  if (!/^(?:tcp|http):\/\//.test(text) || !URL.canParse(text.replace(/^tcp:/, 'http:'))) {
    return undefined;
  }
  const url = new URL(text.replace(/^tcp:/, 'http:'));
  return { kind: 'tcp', host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 2375) };
}

export function formatEngineAddress(address: EngineAddress): string {
  return address.kind === 'socket' ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`;
}
