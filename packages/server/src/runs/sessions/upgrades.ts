/* Where the two ends of a session connect: the client to the run, the worker to the socket it was told. */
import { SheafError } from '@sheaf/wire';
import type { Duplex } from 'node:stream';
import { decoded } from '../../http/decoded.ts';
import { refuseUpgrade, userOfUpgrade, type Upgrade, type UpgradeHandler } from '../../http/upgrades.ts';
import type { Services } from '../../services.ts';
import { requireSocket } from '../../workers/replies.ts';
import { admit } from './admit.ts';
import type { Sessions } from './sessions.ts';

const clientPath = /^\/rest\/bundles\/([^/]+)\/exec\/?$/;
const workerPath = /^\/rest\/workers\/([^/]+)\/session\/(\d{1,15})\/?$/;

export function sessionUpgrades(services: Services, sessions: Sessions): UpgradeHandler {
  const answered = (socket: Duplex, work: () => Promise<void>) => {
    work().catch((error: unknown) => {
      if (error instanceof SheafError) return refuseUpgrade(socket, error);
      services.log.error({ err: error }, 'a session could not be opened');
      refuseUpgrade(socket, new SheafError('internal', 'Unexpected Internal Error.'));
    });
    return true;
  };
  return (upgrade) => {
    const { path, socket } = upgrade;
    const [, uuid] = clientPath.exec(path) ?? [];
    if (uuid !== undefined) return answered(socket, () => openClient(services, sessions, upgrade, uuid));
    const [, worker, socketId] = workerPath.exec(path) ?? [];
    if (worker === undefined) return false;
    return answered(socket, () => openWorker(services, sessions, upgrade, decoded(worker), Number(socketId)));
  };
}

async function openClient(
  services: Services,
  sessions: Sessions,
  upgrade: Upgrade,
  uuid: string,
): Promise<void> {
  const user = await userOfUpgrade(upgrade, services);
  const admitted = await admit(services, user, uuid);
  sessions.requireRoom(admitted);
  sessions.accept(upgrade, (socket) => sessions.open(admitted, socket));
}

async function openWorker(
  services: Services,
  sessions: Sessions,
  upgrade: Upgrade,
  workerId: string,
  socketId: number,
): Promise<void> {
  const user = await userOfUpgrade(upgrade, services);
  await requireSocket(services, { userId: user.id, workerId }, socketId);
  const session = sessions.waiting(socketId);
  if (session === undefined) {
    throw new SheafError('not-found', 'Nobody waits for this session any more.', {
      next: 'Nothing is to be done: whoever asked for it has left.',
    });
  }
  sessions.accept(upgrade, (socket) => session.join(socket));
}
