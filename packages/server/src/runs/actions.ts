/* Actions people ask for on bundles: kill and write (rest-api.md §22). */
import { SheafError } from '@sheaf/wire';
import { z } from 'zod';
import { requireBundles } from '../bundles/access.ts';
import type { UserViewer } from '../http/viewer.ts';
import type { Services } from '../services.ts';
import { queueMessage, withdrawMessage } from '../workers/message-queue.ts';
import { findAssignment, workerOf } from './assignments.ts';
import { killBundle, noteAction } from './kill.ts';

const subpath = /^[a-zA-Z0-9_\-.]*$/;
/** Milliseconds in which the worker has to take what is to be written. */
const writePatience = 60_000;

const killAction = z.object({ type: z.literal('kill'), uuid: z.string() });
const writeAction = z.object({
  type: z.literal('write'),
  uuid: z.string(),
  subpath: z
    .string()
    .refine((text) => subpath.test(text) && !text.endsWith('\n'), `must match ${subpath.source}`),
  string: z.string(),
});
const action = z.discriminatedUnion('type', [killAction, writeAction]);

export const actionsRequest = z.object({
  data: z.array(z.object({ type: z.literal('bundle-actions'), attributes: action })),
});

export type BundleAction = z.infer<typeof action>;

/**
 * Carries them out in order; when one fails, those before it have taken effect.
 * @throws SheafError `action-refused`, `permission-denied`, `not-found`, `worker-unreachable`
 */
export async function actOnBundles(
  services: Services,
  viewer: UserViewer,
  actions: readonly BundleAction[],
  signal: AbortSignal,
): Promise<void> {
  await requireBundles(
    services.database.queries,
    viewer,
    actions.map(({ uuid }) => uuid),
    'all',
  );
  for (const one of actions) {
    if (one.type === 'kill')
      await services.unitOfWork((unit) => killBundle(unit, one.uuid, viewer, services.clock.now()));
    else await write(services, one, signal);
  }
}

/** The text is written at most once: what the worker has not taken in time is withdrawn. */
async function write(
  services: Services,
  request: z.infer<typeof writeAction>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, events, unitOfWork } = services;
  const now = clock.now();
  const messageId = await unitOfWork(async (unit) => {
    const [run] = await unit.queries
      .selectFrom('bundle')
      .selectAll()
      .where('uuid', '=', request.uuid)
      .execute();
    const assignment = await findAssignment(unit.queries, request.uuid);
    if (run === undefined || run.state !== 'running' || assignment === undefined) {
      throw new SheafError(
        'action-refused',
        `Cannot write to bundle ${request.uuid}: it is ${run?.state ?? 'gone'}, not running.`,
      );
    }
    return await queueMessage(unit, now, {
      ...workerOf(assignment),
      runUuid: request.uuid,
      epoch: assignment.epoch,
      message: { type: 'write', uuid: request.uuid, subpath: request.subpath, string: request.string },
      expiresAt: now + writePatience,
    });
  });
  const taken = await new Promise<boolean>((resolve) => {
    const finish = (result: boolean) => {
      stop();
      cancel();
      signal.removeEventListener('abort', hungUp);
      resolve(result);
    };
    const hungUp = () => finish(false);
    const stop = events.on('message.taken', ({ messageIds }) => {
      if (messageIds.includes(messageId)) finish(true);
    });
    const cancel = clock.after(writePatience, hungUp);
    signal.addEventListener('abort', hungUp);
  });
  await unitOfWork(async (unit) => {
    if (!taken && (await withdrawMessage(unit, messageId))) {
      throw new SheafError('worker-unreachable', 'Unable to reach worker.');
    }
    const [run] = await unit.queries
      .selectFrom('bundle')
      .selectAll()
      .where('uuid', '=', request.uuid)
      .execute();
    if (run === undefined) return;
    await noteAction(unit, run, `write\t${request.subpath}\t${request.string}`, clock.now());
  });
}
