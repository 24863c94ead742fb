/* The questions asked most must be answered by an index, on both engines (design: database). */
import { sql, type CompiledQuery, type KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TreeCache } from '@sheaf/trees';
import { groupsOf } from '../accounts/groups.ts';
import { recomputeDiskUsed } from '../accounts/quota.ts';
import { tokenOwner } from '../accounts/tokens.ts';
import { findBundles, permissionsOn } from '../bundles/access.ts';
import { withDescendants } from '../bundles/descendants.ts';
import { hostsOf } from '../bundles/include.ts';
import { sameBundles } from '../bundles/memoization.ts';
import { lastDigest, readyRun, runsWithCommand } from '../bundles/same-result-queries.ts';
import { searchBundles } from '../bundles/search/search.ts';
import { resolveBundleSpecs } from '../bundles/specs.ts';
import { dependenciesOf } from '../bundles/view.ts';
import { DependencyEntries } from '../contents/dependency-entries.ts';
import type { UserViewer } from '../http/viewer.ts';
import { readAllGrants } from '../runs/backlog/grants.ts';
import { KeptBacklog } from '../runs/backlog/kept-backlog.ts';
import { checkInputs } from '../runs/inputs-check.ts';
import { failStuckBundles } from '../runs/maintenance.ts';
import { requestSettings } from '../runs/request-settings.ts';
import { overdue } from '../runs/staging.ts';
import { restageUnbegun } from '../runs/unbegun-offline.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { itemsOf } from '../worksheets/items.ts';
import type { Queries, TransactionQueries } from './database.ts';
import type { UnitOfWork } from './unit-of-work.ts';

const uuid = `0x${'0'.repeat(31)}1`;
const viewer: UserViewer = {
  kind: 'user',
  id: uuid,
  name: 'maria',
  isRoot: false,
  isVerified: true,
  hasAccess: true,
};

/** Does the work and answers the statements it took. */
async function recorded(
  queries: Queries,
  work: (queries: Queries) => Promise<unknown>,
): Promise<CompiledQuery[]> {
  const statements: CompiledQuery[] = [];
  const recorder: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      statements.push(queries.getExecutor().compileQuery(node, queryId));
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  await work(queries.withPlugin(recorder));
  return statements;
}

describe.each(databases)('plans on %s', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(() => server.close());

  const plan = async (statement: CompiledQuery): Promise<string[]> => {
    if (database === 'sqlite') {
      const explained = { ...statement, sql: `explain query plan ${statement.sql}` };
      const { rows } = await server.services.database.queries.executeQuery<{ detail: string }>(explained);
      return rows.map((row) => row.detail);
    }
    return await server.services.database.transaction(async (inside) => {
      // Small tables are read whole for good reasons; forbidden to, the planner shows whether there is another way.
      await sql`set local enable_seqscan = off`.execute(inside);
      const { rows } = await inside.executeQuery<Record<string, string>>({
        ...statement,
        sql: `explain ${statement.sql}`,
      });
      return rows.map((row) => Object.values(row).join(' '));
    });
  };
  const unitOn = (queries: Queries): UnitOfWork => ({
    queries: queries as unknown as TransactionQueries,
    dialect: server.services.database.dialect,
    announce: () => {},
    charges: [],
  });
  const entries = () => new DependencyEntries(new TreeCache(server.services.store));
  /** Lines of the plan that read a whole table. */
  const wholeTableReads = async (statement: CompiledQuery): Promise<string[]> =>
    (await plan(statement)).filter((line) =>
      database === 'sqlite'
        ? /^SCAN (?!.*USING (COVERING )?INDEX|\(|each|CONSTANT)/.test(line)
        : line.includes('Seq Scan'),
    );

  it('notices a question without an index', async () => {
    const [statement] = await recorded(server.services.database.queries, (queries) =>
      queries.selectFrom('bundle').select('uuid').where('is_anonymous', '=', 1).execute(),
    );

    expect(await wholeTableReads(statement!)).not.toEqual([]);
  });

  it.each<[string, (queries: Queries) => Promise<unknown>]>([
    ['who has this token', (queries) => tokenOwner(queries, 'x', 0)],
    [
      'in which groups is a user',
      (queries) =>
        queries.selectFrom('group_member').select('group_uuid').where('user_id', '=', uuid).execute(),
    ],
    ['bundles by uuid', (queries) => findBundles(queries, [uuid, `${uuid.slice(0, -1)}2`])],
    [
      'grants on a bundle',
      (queries) =>
        permissionsOn(queries, viewer, []).then(() =>
          queries.selectFrom('bundle_permission').selectAll().where('bundle_uuid', 'in', [uuid]).execute(),
        ),
    ],
    ['dependencies of bundles', (queries) => dependenciesOf(queries, [uuid])],
    [
      'runs with the same command and dependencies',
      (queries) => sameBundles(queries, viewer, { command: 'x', dependencies: [] }),
    ],
    ['runs with the same action', (queries) => readyRun(queries, viewer, [uuid])],
    ['what an image was last', (queries) => lastDigest(queries, viewer, 'python:3.12')],
    ['the same run under way', (queries) => runsWithCommand(queries, viewer, 'x')],
    ['descendants', (queries) => withDescendants(queries, [uuid], 1)],
    ['worksheets of a bundle', (queries) => hostsOf(queries, [uuid])],
    ['items of a worksheet', (queries) => itemsOf(queries, uuid)],
    [
      'a bundle by the beginning of its uuid',
      (queries) => resolveBundleSpecs(queries, viewer, ['0x00'], undefined).catch(() => undefined),
    ],
    [
      'a bundle by its name',
      (queries) => resolveBundleSpecs(queries, viewer, ['name'], undefined).catch(() => undefined),
    ],
    [
      'a bundle by its name on a worksheet',
      (queries) => resolveBundleSpecs(queries, viewer, ['name'], uuid).catch(() => undefined),
    ],
    ['one’s own bundles, newest first', (queries) => search(queries, ['.mine', '.last'])],
    ['runs that wait or run', (queries) => search(queries, ['state=running,staged', 'id=.sort-'])],
    ['bundles on a worksheet', (queries) => search(queries, [`uuid=${uuid}`])],
    [
      'messages of a worker',
      (queries) =>
        queries
          .selectFrom('message')
          .selectAll()
          .where('user_id', '=', 'x')
          .where('worker_id', '=', 'y')
          .orderBy('id')
          .execute(),
    ],
    [
      'runs of a worker',
      (queries) =>
        queries
          .selectFrom('assignment')
          .selectAll()
          .where('user_id', '=', 'x')
          .where('worker_id', '=', 'y')
          .execute(),
    ],
    [
      'history of a bundle',
      (queries) =>
        queries
          .selectFrom('bundle_event')
          .selectAll()
          .where('bundle_uuid', '=', uuid)
          .orderBy('id')
          .execute(),
    ],
    [
      'a worksheet by its name',
      (queries) =>
        queries
          .selectFrom('worksheet')
          .select('uuid')
          .where(sql`lower(name)`, '=', 'x')
          .execute(),
    ],
  ])('%s', async (_question, work) => {
    const statements = await recorded(server.services.database.queries, work);

    expect(statements.length).toBeGreaterThan(0);
    for (const statement of statements) {
      // The groups of an installation are few, and read whole.
      const reads = (await wholeTableReads(statement)).filter((line) => !line.includes('user_group'));
      expect(reads, statement.sql).toEqual([]);
    }
  });

  // With many bundles that are final, anything else reads them all for the few that are not.
  it.each<[string, (unit: UnitOfWork) => unknown]>([
    ['what no event has told', ({ queries }) => overdue(queries)],
    ['who may run what waits', readAllGrants],
    ['runs nothing happens to', (unit) => failStuckBundles(unit, 1)],
    ['runs that never began on a lost worker', (unit) => restageUnbegun(unit, 1)],
    [
      'what waits',
      (unit) =>
        new KeptBacklog(entries(), requestSettings(server.services.settings), 'x').bringUpToDate(unit, [], 1),
    ],
    [
      'runs that wait and have not been checked',
      ({ queries }) =>
        checkInputs(
          { ...server.services, database: { ...server.services.database, queries } },
          entries(),
          new Set(),
        ),
    ],
    [
      'what people search for by state',
      ({ queries }) => search(queries, ['state=running,staged', 'id=.sort-']),
    ],
  ])('the bundles that are not final: %s', async (_question, work) => {
    const statements = await recorded(server.services.database.queries, async (queries) => {
      await work(unitOn(queries));
    });

    const asked = statements.find(({ sql: text }) => text.includes('is_final'));
    expect((await plan(asked!)).join('\n')).toContain('bundle_open');
  });

  const search = (queries: Queries, keywords: string[]) =>
    searchBundles({ database: { ...server.services.database, queries } }, viewer, keywords);

  it('what a user’s bundles take', async () => {
    const statements = await recorded(server.services.database.queries, async (queries) => {
      await recomputeDiskUsed(unitOn(queries), uuid);
      await groupsOf(queries, uuid);
    });
    const sum = statements.find((statement) => statement.sql.includes('sum('));

    expect(await wholeTableReads(sum!)).toEqual([]);
  });
});
