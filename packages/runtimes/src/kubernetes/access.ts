/** How a cluster is reached: the four values that people pass on command lines (execution.md §16.1, §26). */

export interface ClusterAccess {
  /** `https://host:6443`, without a path. */
  readonly host: string;
  readonly token: string;
  /** PEM text of the authority that signed the cluster's certificate; undefined for those the system trusts. */
  readonly certificate: string | undefined;
}

/** The local test cluster that the original's documentation sets up: no certificate, no token. */
const localTestCluster = 'https://codalab-control-plane:6443';

export function isLocalTestCluster(host: string): boolean {
  return host === localTestCluster;
}

/**
 * @param path of the certificate; `/dev/null` means that `text` is the certificate, line breaks perhaps written as `\n`
 * @param read the text of a file
 */
export function certificateOf(
  path: string,
  text: string,
  read: (path: string) => string,
): string | undefined {
  const pem = path === '/dev/null' || path === '' ? text.replaceAll(String.raw`\n`, '\n') : read(path);
  return pem.trim() === '' ? undefined : pem;
}
