/* The database has no room left: SQLite's disk, or PostgreSQL's. The transaction is undone, and the same one may succeed later. */

/** Results of SQLite: the disk is full; and PostgreSQL's word for the same. */
const sqliteFull = 13;
const postgresFull = '53100';

export function isOutOfRoom(error: unknown): boolean {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    if ('code' in one && (one.code === postgresFull || one.code === 'ENOSPC' || one.code === 'EDQUOT'))
      return true;
    if ('errcode' in one && typeof one.errcode === 'number' && (one.errcode & 0xff) === sqliteFull)
      return true;
    if (/database or disk is full/.test(one.message)) return true;
  }
  return false;
}
