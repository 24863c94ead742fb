/* Builds what every part of the server is given out of the settings. */
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { uuidFromBytes } from '@sheaf/domain';
import { DirectoryStore } from '@sheaf/trees';
import type { Logger } from 'pino';
import { prepareAccounts } from './accounts/administrator.ts';
import { settleCharges } from './accounts/charges.ts';
import { openDatabase } from './database/open.ts';
import { unitsOfWork } from './database/unit-of-work.ts';
import { createEvents } from './events/events.ts';
import { makePrivateDirectory } from './files/private-directory.ts';
import { WaitingReasons } from './runs/waiting-reasons.ts';
import type { Clock, Ids, Services } from './services.ts';
import type { Settings } from './settings/settings.ts';
import { systemClock } from './system-clock.ts';

export interface OpenServices {
  services: Services;
  close(): Promise<void>;
}

/**
 * Opens database and store, and makes the first accounts.
 * @param options.guarded has queries fail that would wait for themselves (`SqliteOptions`)
 */
export async function openServices(
  settings: Settings,
  { log, clock = systemClock, guarded = false }: { log: Logger; clock?: Clock; guarded?: boolean },
): Promise<OpenServices> {
  await makePrivateDirectory(settings.home);
  const database = await openDatabase(settings.database, { guarded });
  try {
    const events = createEvents((error, event) => log.error({ err: error, event }, 'a listener failed'));
    const store = await DirectoryStore.open(join(settings.home, 'contents'));
    const services: Services = {
      settings,
      database,
      unitOfWork: unitsOfWork(database, events, settleCharges),
      events,
      reasons: new WaitingReasons(),
      store,
      clock,
      ids: randomIds,
      log,
    };
    await prepareAccounts(services);
    return {
      services,
      close: async () => {
        await store.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

const randomIds: Ids = {
  uuid: () => uuidFromBytes(Buffer.from(randomUUID().replaceAll('-', ''), 'hex')),
  secret: (length) => {
    let text = '';
    while (text.length < length) {
      for (const byte of randomBytes(length)) {
        // Larger bytes are passed over, so that every letter is equally likely.
        if (byte < letters.length * 4 && text.length < length) text += letters[byte % letters.length];
      }
    }
    return text;
  },
};
