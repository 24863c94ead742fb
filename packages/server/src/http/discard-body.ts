import type { IncomingMessage } from 'node:http';

/**
 * Reads a request's body to its end and drops it. Original clients write the whole body before they look at the answer: a
 * refusal that comes earlier looks like a broken network to them (rest-api.md §1.3, item 9).
 */
export async function discardBody(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return;
  await new Promise<void>((resolve) => {
    request.once('end', resolve);
    request.once('close', resolve);
    request.resume();
  });
}
