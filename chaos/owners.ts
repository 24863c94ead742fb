/** Whom the runs of an experiment belong to: the administrator, and somebody who is not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refused, Rest, type Person } from './rest.ts';
import type { Site } from './site.ts';

export interface Owner {
  /** Over the line, where requests get lost while it is spoilt. */
  readonly rest: Rest;
  readonly worksheet: string;
}

const guest = { username: 'guest', password: 'secret of the guest' };

/** The first is the administrator. Waits for the server. */
export async function makeOwners(site: Site): Promise<readonly [Owner, ...Owner[]]> {
  const administrator = new Rest(site.line.url, () => administratorOf(site));
  await say(administrator, '/users', {
    type: 'users',
    attributes: { user_name: guest.username, email: 'guest@example.org', password: guest.password },
  });
  const other = new Rest(site.line.url, () => guest);
  return [
    { rest: administrator, worksheet: await makeWorksheet(administrator, 'chaos') },
    { rest: other, worksheet: await makeWorksheet(other, 'guest-chaos') },
  ];
}

function administratorOf(site: Site): Person {
  return JSON.parse(readFileSync(join(site.home, 'administrator.json'), 'utf8')) as Person;
}

async function makeWorksheet(rest: Rest, name: string): Promise<string> {
  return (await say(rest, '/worksheets', { type: 'worksheets', attributes: { name } })) ?? '';
}

async function say(rest: Rest, path: string, resource: object): Promise<string | undefined> {
  try {
    const { data } = await rest.ask<{ data: { id: string }[] }>('POST', path, { data: [resource] });
    return data[0]?.id;
  } catch (error) {
    if (error instanceof Refused)
      throw new Error(`The experiment cannot begin: ${error.message}`, { cause: error });
    throw error;
  }
}
