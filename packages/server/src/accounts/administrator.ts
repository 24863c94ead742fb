/*
 * The first start of an installation: the system group, and an administrator whose password is in a file that only the owner
 * of the home directory can read, so that `cl` on the same machine signs in by itself.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { lockNames } from '../database/name-lock.ts';
import type { UnitOfWork } from '../database/unit-of-work.ts';
import { errorCode } from '../files/error-code.ts';
import { writePrivateFile } from '../files/private-file.ts';
import type { Services } from '../services.ts';
import { createUser } from './create-user.ts';
import { publicGroupName } from './groups.ts';
import { hashPassword } from './password.ts';
import { findUser, rootUserId } from './users.ts';

const credentials = z.object({ username: z.string(), password: z.string() });
const generatedLength = 24;

export async function prepareAccounts(services: Services): Promise<void> {
  await services.unitOfWork((unit) => createPublicGroup(unit, services.ids));
  if ((await findUser(services.database.queries, rootUserId)) !== undefined) return;
  const { username, password } = await firstCredentials(services);
  const passwordHash = await hashPassword(password);
  await services.unitOfWork(async (unit) => {
    // Several servers may start at once on one database.
    await lockNames(unit);
    if ((await findUser(unit.queries, rootUserId)) !== undefined) return;
    const administrator = { id: rootUserId, name: username, email: '', passwordHash };
    await createUser(unit, { ...administrator, isVerified: true, hasAccess: true }, services);
  });
}

async function createPublicGroup(unit: UnitOfWork, ids: Services['ids']): Promise<void> {
  await lockNames(unit);
  const known = await unit.queries
    .selectFrom('user_group')
    .select('uuid')
    .where('user_defined', '=', 0)
    .executeTakeFirst();
  if (known !== undefined) return;
  await unit.queries
    .insertInto('user_group')
    .values({ uuid: ids.uuid(), name: publicGroupName, owner_id: null, user_defined: 0 })
    .execute();
}

/**
 * Written before the account is stored: after a crash between the two, the next start finds the password here. A password
 * the operator chose is kept too, because `cl` and the local worker sign in with this file.
 */
async function firstCredentials({ settings, ids }: Services): Promise<z.output<typeof credentials>> {
  const file = join(settings.home, 'administrator.json');
  const chosen = settings.administrator.password;
  const kept = chosen === undefined ? await readCredentials(file) : undefined;
  const chosenName = settings.administrator.name;
  if (kept !== undefined && kept.username === chosenName) return kept;
  const fresh = { username: chosenName, password: chosen ?? ids.secret(generatedLength) };
  await writePrivateFile(file, `${JSON.stringify(fresh, undefined, 2)}\n`);
  return fresh;
}

async function readCredentials(file: string): Promise<z.output<typeof credentials> | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  return credentials.parse(JSON.parse(text));
}
