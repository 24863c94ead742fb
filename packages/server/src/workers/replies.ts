/* Answers of workers to questions (execution.md §6.2, §6.3). */
import { SheafError } from '@sheaf/wire';
import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { join } from 'node:path';
import { temporaryDirectory } from '../contents/temporary-directory.ts';
import type { Services } from '../services.ts';
import type { Mailboxes } from './mailboxes.ts';
import { relay } from './relay.ts';
import type { WorkerKey } from './worker-key.ts';

/** How long a slow reader may hold up an original worker, which gives up after 60 s, in milliseconds. Others wait. */
const patience = 20_000;
/** Bodies up to this many bytes are taken whole, so that the worker gets a proper answer even when nobody wants them. */
const short = 1024 * 1024;

/**
 * Answers the protocol of the worker, whose mailbox it is.
 * @throws SheafError `permission-denied` for the mailbox of another worker
 */
export async function requireSocket(
  services: Services,
  worker: WorkerKey,
  socketId: number,
): Promise<{ protocol: number }> {
  const row = Number.isSafeInteger(socketId)
    ? await services.database.queries
        .selectFrom('socket')
        .leftJoin('worker', (join) =>
          join
            .onRef('worker.user_id', '=', 'socket.user_id')
            .onRef('worker.worker_id', '=', 'socket.worker_id'),
        )
        .select(['socket.user_id', 'socket.worker_id', 'worker.protocol'])
        .where('socket.id', '=', socketId)
        .executeTakeFirst()
    : undefined;
  if (row === undefined || row.user_id !== worker.userId || row.worker_id !== worker.workerId) {
    throw new SheafError('permission-denied', 'Not your socket ID!');
  }
  // A worker that has left meanwhile still answers.
  return { protocol: row.protocol ?? 1 };
}

/**
 * Hands a stream to whoever waits for it. Returns when everything was taken from it, so that the worker can be answered; where
 * nobody waits, it is read and dropped.
 * @throws when the reader or the worker goes away meanwhile
 */
export async function passData(
  services: Services,
  mailboxes: Mailboxes,
  socketId: number,
  { header, protocol }: { header: unknown; protocol: number },
  source: IncomingMessage,
): Promise<void> {
  const length = Number(source.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  const body = new PassThrough();
  if (!mailboxes.deliver(socketId, { kind: 'data', header, body })) {
    source.resume();
    await finished(source);
    return;
  }
  const { taken, passed } = relay(source, body, {
    patience: protocol >= 2 ? undefined : patience,
    clock: services.clock,
    readToEnd: length <= short,
    spoolPath: () => join(temporaryDirectory(services.settings), `reply-${services.ids.secret(24)}`),
  });
  passed.catch((error: unknown) =>
    services.log.debug({ err: error, socketId }, 'a reply did not reach its reader'),
  );
  await taken;
}

function finished(source: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    source.once('end', resolve);
    source.once('close', resolve);
    source.once('error', reject);
  });
}
