/** Entries that nobody should get any more, under another name: runs that have them mounted keep what they see. */
import { randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';

const ending = '.damaged';

/** Moves an entry; answers its new name, undefined where there is nothing of the old. */
export function moveAside(entries: string, name: string): string | undefined {
  const aside = `${name}.${randomUUID()}${ending}`;
  try {
    renameSync(join(entries, name), join(entries, aside));
    return aside;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** The name by which runs know what lies in the directory of entries, also where it was moved since. */
export function knownAs(name: string): string {
  return name.endsWith(ending) ? name.split('.').slice(0, 2).join('.') : name;
}
