/* Tells a worker to open its end of a session, and writes down who asked for what. */
import { joinShellWords } from '@sheaf/domain';
import type { SessionRequest } from '@sheaf/wire';
import type { Services } from '../../services.ts';
import { queueMessage } from '../../workers/message-queue.ts';
import { openSocket } from '../../workers/sockets.ts';
import { findAssignment } from '../assignments.ts';
import { history, namedWorker, note } from '../history.ts';
import { noteAction } from '../kill.ts';
import { lockBundle } from '../lock-bundle.ts';
import { notRunning, type Admitted } from './admit.ts';

/** Milliseconds until the worker must have come. */
export const callPatience = 30_000;
/** Characters of a command that are kept. */
const longestNote = 1000;

/**
 * In one step with the record of it, so that no command is started that nobody can find again.
 * @returns the number of the socket that the worker will connect to, and of the message
 * @throws SheafError `action-refused` where the run has ended, or was given to another worker, meanwhile
 */
export async function callWorker(
  services: Services,
  { user, holder }: Admitted,
  request: SessionRequest,
): Promise<{ socketId: number; messageId: number }> {
  const now = services.clock.now();
  return await services.unitOfWork(async (unit) => {
    const run = await lockBundle(unit, holder.runUuid);
    const assignment = await findAssignment(unit.queries, holder.runUuid);
    if (run?.state !== 'running' || assignment?.epoch !== holder.epoch) {
      throw notRunning(holder.runUuid, run?.state ?? 'gone');
    }
    const line = shortened(joinShellWords(request.command));
    const isShell = request.command.length === 0;
    await noteAction(unit, run, isShell ? 'shell' : `exec\t${line}`, now);
    const what = isShell ? 'opened a shell.' : `started a command: ${line}`;
    const worker = await namedWorker(unit, holder);
    await note(
      unit,
      run.uuid,
      now,
      history('session', (names) => `${names.user} ${what}`, { user, worker, attempt: run.epoch }),
    );
    const socketId = await openSocket(unit, holder, holder.runUuid, now);
    const messageId = await queueMessage(unit, now, {
      ...holder,
      message: { ...request, type: 'session', uuid: holder.runUuid, socket_id: socketId },
      expiresAt: now + callPatience,
    });
    return { socketId, messageId };
  });
}

function shortened(text: string): string {
  return text.length <= longestNote ? text : `${text.slice(0, longestNote)} …`;
}
