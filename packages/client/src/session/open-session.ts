/** Sessions over REST: a command beside a run's own (new in Sheaf), as the client asks for it and as the worker serves it. */
import { connectionFailure } from '../node/connection-failure.ts';
import { failureOf } from '../failure.ts';
import type { RestClient } from '../rest-client.ts';
import type { SessionChannel } from './channel.ts';

export type Connected =
  | { readonly kind: 'open'; readonly channel: SessionChannel }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | { readonly kind: 'failed'; readonly cause: unknown };

export type Connect = (url: string, headers: Readonly<Record<string, string>>) => Promise<Connected>;

/**
 * The client's end of a session in a run; its first frame is to be `start`.
 * @throws SheafError where there is no such run, it is not running, or it is not for this user; ConnectionError
 */
export function openSession(client: RestClient, uuid: string, connect: Connect): Promise<SessionChannel> {
  return open(client, `/bundles/${uuid}/exec`, connect);
}

/** The worker's end. @throws SheafError where nobody waits for it; ConnectionError */
export function serveSession(
  client: RestClient,
  workerId: string,
  socketId: number,
  connect: Connect,
): Promise<SessionChannel> {
  return open(client, `/workers/${encodeURIComponent(workerId)}/session/${socketId}`, connect);
}

async function open(client: RestClient, path: string, connect: Connect): Promise<SessionChannel> {
  return await client.upgrade(path, async (url, headers) => {
    const connected = await connect(url, headers);
    switch (connected.kind) {
      case 'open':
        return connected.channel;
      case 'refused':
        throw failureOf(connected.status, connected.headers, connected.body);
      case 'failed':
        throw connectionFailure(connected.cause, url);
    }
  });
}
