import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { attempt } from './attempt.ts';
import { write } from './unanswered.ts';
import type { UnitOfWork } from './unit-of-work.ts';

describe.each(databases)('writes whose answer nobody needs (%s)', (database) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(() => server.close());

  const set = (unit: UnitOfWork, key: string, value: string | null = 'x') =>
    write(unit, sql`insert into setting (key, value) values (${key}, ${value})`);
  /** The keys that begin like this, as everybody sees them. */
  const stored = async (beginning: string) => {
    const rows = await server.services.database.queries
      .selectFrom('setting')
      .select('key')
      .where('key', 'like', `${beginning}%`)
      .orderBy('key')
      .execute();
    return rows.map(({ key }) => key);
  };

  it('are executed in their order, and seen by what comes after them', async () => {
    const seen = await server.services.unitOfWork(async (unit) => {
      await set(unit, 'order');
      await write(unit, sql`update setting set value = ${'y'} where key = ${'order'}`);
      return await unit.queries.selectFrom('setting').select('value').where('key', '=', 'order').execute();
    });

    expect(seen).toEqual([{ value: 'y' }]);
    expect(await stored('order')).toEqual(['order']);
  });

  it('undo everything when the last of them fails', async () => {
    const work = server.services.unitOfWork(async (unit) => {
      await set(unit, 'last-one');
      await set(unit, 'last-two', null);
    });

    await expect(work).rejects.toThrow(/null/i);
    expect(await stored('last')).toEqual([]);
  });

  it('say why everything after them fails', async () => {
    const work = server.services.unitOfWork(async (unit) => {
      await set(unit, 'why', null);
      await unit.queries.selectFrom('setting').select('key').execute();
    });

    await expect(work).rejects.toThrow(/null/i);
    // The connection is as good as before.
    await server.services.unitOfWork((unit) => set(unit, 'why-not'));
    expect(await stored('why')).toEqual(['why-not']);
  });

  it('spoil only the attempt that they are a part of', async () => {
    await server.services.unitOfWork(async (unit) => {
      await set(unit, 'part-one');
      const part = attempt(unit, async () => {
        await set(unit, 'part-two');
        await set(unit, 'part-three', null);
      });
      await expect(part).rejects.toThrow(/null/i);
      await set(unit, 'part-four');
    });

    expect(await stored('part')).toEqual(['part-four', 'part-one']);
  });

  it('are forgotten when the work is given up before anybody has waited for them', async () => {
    const work = server.services.unitOfWork(async (unit) => {
      await set(unit, 'given-up', null);
      throw new Error('thought better of it');
    });
    await expect(work).rejects.toThrow();

    await server.services.unitOfWork((unit) => set(unit, 'given-anew'));
    expect(await stored('given')).toEqual(['given-anew']);
  });

  it('are undone with the rest', async () => {
    const work = server.services.unitOfWork(async (unit) => {
      await set(unit, 'undone');
      throw new Error('thought better of it');
    });

    await expect(work).rejects.toThrow('thought better of it');
    expect(await stored('undone')).toEqual([]);
  });
});
