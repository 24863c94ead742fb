import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerEvent } from '../events/events.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { inChunks } from './chunks.ts';
import { migrate } from './migrate.ts';

describe.each(databases)('%s', (name) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database: name });
    await server.services.database.queries.insertInto('setting').values({ key: 'a', value: '1' }).execute();
  });
  afterAll(() => server.close());

  const value = async (key: string) =>
    (
      await server.services.database.queries
        .selectFrom('setting')
        .select('value')
        .where('key', '=', key)
        .executeTakeFirst()
    )?.value;

  it('applies each migration once, by several servers at a time', async () => {
    await Promise.all([migrate(server.services.database), migrate(server.services.database)]);

    const { rows } = await sql<{ name: string }>`select name from migration order by name`.execute(
      server.services.database.queries,
    );
    const names = rows.map((row) => row.name);
    expect(names.slice(0, 2)).toEqual(['0001-initial', '0002-stores-and-names']);
    expect(new Set(names).size).toBe(names.length);
  });

  it('is left alone by a server that is older than it', async () => {
    const { database } = server.services;
    await sql`insert into migration (name, applied_at) values ('9999-of-tomorrow', 1)`.execute(
      database.queries,
    );

    await expect(migrate(database)).rejects.toThrow(
      /^The database was changed by a newer version of this server \(9999-of-tomorrow\): start that version/,
    );

    await sql`delete from migration where name = '9999-of-tomorrow'`.execute(database.queries);
    await migrate(database);
  });

  if (name === 'sqlite') {
    it('refuses a query outside the open transaction, which would wait for itself', async () => {
      const { unitOfWork, database } = server.services;
      const work = unitOfWork(async () => {
        await database.queries.selectFrom('setting').selectAll().execute();
      });
      await expect(work).rejects.toThrow('would wait for itself');
    });
  }

  it('rolls back a unit of work that fails, and announces nothing of it', async () => {
    const announced: ServerEvent[] = [];
    const stop = server.services.events.on('bundle.deleted', (event) => announced.push(event));

    const work = server.services.unitOfWork(async (unit) => {
      await unit.queries.updateTable('setting').set({ value: '2' }).where('key', '=', 'a').execute();
      unit.announce({ type: 'bundle.deleted', uuid: 'x' });
      throw new Error('stop');
    });

    await expect(work).rejects.toThrow('stop');
    expect(await value('a')).toBe('1');
    expect(announced).toEqual([]);
    stop();
  });

  it('announces after the commit', async () => {
    const seen: (string | undefined)[] = [];
    const reads: Promise<unknown>[] = [];
    const stop = server.services.events.on('bundle.deleted', () => {
      reads.push(value('b').then((found) => seen.push(found)));
    });

    await server.services.unitOfWork(async (unit) => {
      await unit.queries.insertInto('setting').values({ key: 'b', value: '1' }).execute();
      unit.announce({ type: 'bundle.deleted', uuid: 'x' });
    });
    await Promise.all(reads);
    stop();

    expect(seen).toEqual(['1']);
  });

  it('lets units of work that read and write take turns', async () => {
    await server.services.database.queries
      .insertInto('setting')
      .values({ key: 'count', value: '0' })
      .execute();
    const increment = () =>
      server.services.unitOfWork(async ({ queries, dialect }) => {
        const row = await queries
          .selectFrom('setting')
          .select('value')
          .where('key', '=', 'count')
          .modifyEnd(dialect.rowLock)
          .executeTakeFirstOrThrow();
        await queries
          .updateTable('setting')
          .set({ value: String(Number(row.value) + 1) })
          .where('key', '=', 'count')
          .execute();
      });

    await Promise.all(Array.from({ length: 25 }, increment));

    expect(await value('count')).toBe('25');
  });

  it('merges JSON, where null removes, and reads it as text', async () => {
    const { queries, dialect } = server.services.database;
    const uuid = await server.services.unitOfWork(async (unit) => {
      const created = { list: ['a', 'B'], flag: true, number: 1.5, text: 'x', gone: 1 };
      await unit.queries
        .insertInto('worksheet')
        .values({
          uuid: '0xj',
          name: 'json',
          owner_id: null,
          title: null,
          frozen_at: null,
          is_anonymous: 0,
          created_at: 0,
          changed_at: 0,
          tags: dialect.json_(created),
        })
        .execute();
      await unit.queries
        .updateTable('worksheet')
        .set({ tags: dialect.mergeJson('tags', { gone: null, text: 'y' }) })
        .execute();
      return '0xj';
    });
    const read = async (key: string) => {
      const row = await queries
        .selectFrom('worksheet')
        .select(dialect.jsonText('tags', key).as('text'))
        .where('uuid', '=', uuid)
        .executeTakeFirstOrThrow();
      return row.text;
    };
    const any = async (text: string) =>
      (
        await queries
          .selectFrom('worksheet')
          .select('uuid')
          .where(dialect.jsonArrayAny('tags', 'list', (element) => sql<boolean>`${element} = ${text}`))
          .execute()
      ).length;
    const anywhere = async (text: string) =>
      (
        await queries
          .selectFrom('worksheet')
          .select('uuid')
          .where(dialect.jsonAnyValue('tags', (one) => sql<boolean>`lower(${one}) = ${text}`))
          .execute()
      ).length;

    expect(await Promise.all(['flag', 'number', 'text', 'gone'].map(read))).toEqual([
      'True',
      '1.5',
      'y',
      null,
    ]);
    expect(await any('B')).toBe(1);
    expect(await any('x')).toBe(0);
    expect([
      await anywhere('b'),
      await anywhere('true'),
      await anywhere('y'),
      await anywhere('list'),
    ]).toEqual([1, 1, 1, 0]);
  });

  it.each([
    ['12', 12],
    ['1.5', 1.5],
    ['-3x', -3],
    ['x', 0],
    [null, 0],
  ])('reads %j as the number %d', async (text, number) => {
    const { queries, dialect } = server.services.database;
    const { rows } = await sql<{
      number: number;
    }>`select ${dialect.toNumber(sql`cast(${text} as text)`)} as number`.execute(queries);

    expect(Number(rows[0]?.number)).toBe(number);
  });

  it('asks long lists in pieces', async () => {
    const keys = Array.from({ length: 12_000 }, (_, index) => `k${index}`);
    const sizes: number[] = [];

    const rows = await inChunks([...keys, 'a', 'a'], (chunk) => {
      sizes.push(chunk.length);
      return server.services.database.queries
        .selectFrom('setting')
        .selectAll()
        .where('key', 'in', chunk)
        .execute();
    });

    expect(sizes).toEqual([5000, 5000, 2001]);
    expect(rows.map((row) => row.key)).toEqual(['a']);
  });
});

it('fails at once when a unit of work asks outside of itself, where that would wait for ever', async () => {
  const server = await startTestServer({ database: 'sqlite' });

  const work = server.services.unitOfWork(() =>
    server.services.database.queries.selectFrom('setting').selectAll().execute(),
  );

  await expect(work).rejects.toThrow('outside the open transaction');
  await server.close();
});
