/** Where a repository is on the network. */
import { registryOf } from '../docker/reference.ts';

/** Its addresses, to be tried in this order: engines try TLS first also where they may do without. */
export function repositoryAddresses(repository: string, plain: boolean): string[] {
  const registry = registryOf(repository);
  if (registry.startsWith('https://')) {
    const path = repository.replace(/^(?:index\.)?docker\.io\//, '');
    const full = path.includes('/') ? path : `library/${path}`;
    return [`https://registry-1.docker.io/v2/${full}`];
  }
  const path = `${registry}/v2/${repository.slice(registry.length + 1)}`;
  return plain ? [`https://${path}`, `http://${path}`] : [`https://${path}`];
}
