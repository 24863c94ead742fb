/** Which registries an engine speaks to without TLS: those on its own machine, and those its configuration calls insecure. */
import type { Info } from '../engine/schema.ts';

export function isPlain(registry: string, { RegistryConfig }: Pick<Info, 'RegistryConfig'>): boolean {
  const host = registry.replace(/:\d+$/, '');
  const isLoopback = host === 'localhost' || host === '[::1]' || host.startsWith('127.');
  return isLoopback || RegistryConfig?.IndexConfigs?.[registry]?.Secure === false;
}
