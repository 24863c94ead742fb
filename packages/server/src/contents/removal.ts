import type { Services } from '../services.ts';

/**
 * What a deletion calls after its commit. Rows and quota are gone by then; blobs that nothing else refers to go in a later sweep, so
 * nothing is done here that takes time.
 */
export function removeContents(services: Services, bundleUuids: readonly string[]): void {
  if (bundleUuids.length > 0) services.events.emit({ type: 'contents.dropped' });
}
