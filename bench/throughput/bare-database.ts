/* What the database alone takes for the least that the life of a run has to leave in it: the floor for a server that keeps it there. */
import { runProcess } from '@sheaf/testkit';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const tables = `
create table run (id integer primary key, state text not null, metadata text not null);
create table assignment (run integer primary key, worker text not null, began integer);
create table message (run integer primary key, body text not null);
create table event (id integer not null, kind text not null, details text not null, primary key (id, kind));
`;

/** Sizes in bytes, about as a server stores them. */
const metadata = 'm'.repeat(900);
const message = 'b'.repeat(1500);
const details = 'd'.repeat(250);

/** Four transactions: runs are given away, begun, running, over. */
function lives(runs: readonly number[]): string[] {
  const these = `in (${runs.join(', ')})`;
  const values = (row: (run: number) => string) => runs.map((run) => `(${row(run)})`).join(', ');
  const step = (
    state: string,
  ) => `update run set state = '${state}', metadata = '${metadata}' where id ${these};
    insert into event values ${values((run) => `${run}, '${state}', '${details}'`)};`;
  return [
    `${step('starting')} insert into assignment values ${values((run) => `${run}, 'worker', null`)};
    insert into message values ${values((run) => `${run}, '${message}'`)};`,
    `${step('preparing')} update assignment set began = 1 where run ${these}; delete from message where run ${these};`,
    step('running'),
    `${step('ready')} delete from assignment where run ${these};`,
  ].map((writes) => `begin; ${writes} commit;`);
}

/**
 * @param place URL of an empty database of PostgreSQL, or a file of SQLite that does not exist yet
 * @param together runs that go through a step with one transaction
 * @returns lives of runs in a second
 */
export async function bareLives(place: string, total: number, together: number): Promise<number> {
  const all = Array.from({ length: total }, (_, at) => at + 1);
  const batches = Array.from({ length: Math.ceil(total / together) }, (_, at) =>
    all.slice(at * together, (at + 1) * together),
  );
  const queued = batches.map(
    (runs) => `insert into run values ${runs.map((run) => `(${run}, 'staged', '${metadata}')`).join(', ')};`,
  );
  const work = batches.flatMap(lives);
  const seconds = place.startsWith('postgres')
    ? await onPostgresql(place, [tables, ...queued], work)
    : await onSqlite(place, [tables, ...queued], work);
  return total / seconds;
}

async function onSqlite(file: string, before: readonly string[], work: readonly string[]): Promise<number> {
  const { DatabaseSync } = await import('@photostructure/sqlite');
  const database = new DatabaseSync(file);
  try {
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000');
    for (const statement of before) database.exec(statement);
    const began = performance.now();
    for (const statement of work) database.exec(statement);
    return (performance.now() - began) / 1000;
  } finally {
    database.close();
  }
}

async function onPostgresql(
  url: string,
  before: readonly string[],
  work: readonly string[],
): Promise<number> {
  const script = join(tmpdir(), `sheaf-bare-${process.pid}.sql`);
  const words = [url, '--quiet', '--set', 'ON_ERROR_STOP=1', '--file', script];
  try {
    writeFileSync(script, before.join('\n'));
    await runProcess('psql', words);
    writeFileSync(script, work.join('\n'));
    const began = performance.now();
    await runProcess('psql', words);
    return (performance.now() - began) / 1000;
  } finally {
    rmSync(script, { force: true });
  }
}
