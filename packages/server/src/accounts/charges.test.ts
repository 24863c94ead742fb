import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attempt } from '../database/attempt.ts';
import { databases, startTestServer, type TestServer } from '../testing/test-server.ts';
import { charge } from './charges.ts';
import { readQuotas, recomputeDiskUsed } from './quota.ts';

describe.each(databases)('what people use more (%s)', (database) => {
  let server: TestServer;
  let users = 0;
  let userId: string;
  beforeAll(async () => {
    server = await startTestServer({ database });
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    userId = (await server.createUser({ name: `payer${(users += 1)}` })).id;
  });

  const used = async () => {
    const { time_used: seconds, disk_used: bytes } = await server.services.database.queries
      .selectFrom('user')
      .select(['time_used', 'disk_used'])
      .where('id', '=', userId)
      .executeTakeFirstOrThrow();
    return { seconds, bytes };
  };

  it('is written once, at the end, and known before', async () => {
    await server.services.unitOfWork(async (unit) => {
      charge(unit, { userId, seconds: 2, bytes: 10 }, { userId, seconds: 0.5, bytes: -3 });
      const quotas = await readQuotas(unit, [userId]);
      expect(quotas.get(userId)).toMatchObject({ timeUsed: 2.5, diskUsed: 7 });
    });
    expect(await used()).toEqual({ seconds: 2.5, bytes: 7 });
  });

  it('is nothing where the work is broken off, or the part of it', async () => {
    const broken = server.services.unitOfWork(async (unit) => {
      charge(unit, { userId, seconds: 1, bytes: 1 });
      throw new Error('stop');
    });
    await expect(broken).rejects.toThrow('stop');
    await server.services.unitOfWork(async (unit) => {
      charge(unit, { userId, seconds: 1, bytes: 0 });
      const part = attempt(unit, async () => {
        charge(unit, { userId, seconds: 7, bytes: 7 });
        throw new Error('stop');
      });
      await expect(part).rejects.toThrow('stop');
    });
    expect(await used()).toEqual({ seconds: 1, bytes: 0 });
  });

  it('is not counted again where all that is stored was counted', async () => {
    await server.services.unitOfWork(async (unit) => {
      charge(unit, { userId, seconds: 1, bytes: 10 });
      expect(await recomputeDiskUsed(unit, userId)).toBe(0);
      charge(unit, { userId, seconds: 0, bytes: 3 });
    });
    expect(await used()).toEqual({ seconds: 1, bytes: 3 });
  });

  if (database === 'postgresql') {
    it('keeps nobody waiting until the work ends, nor whoever makes something of the same person', async () => {
      const { unitOfWork } = server.services;
      let end: () => void = () => undefined;
      const open = new Promise<void>((resolve) => (end = resolve));
      let charged: () => void = () => undefined;
      const begun = new Promise<void>((resolve) => (charged = resolve));
      const slow = unitOfWork(async (unit) => {
        charge(unit, { userId, seconds: 1, bytes: 0 });
        charged();
        await open;
      });
      await begun;
      await unitOfWork(async (unit) => charge(unit, { userId, seconds: 2, bytes: 0 }));
      expect((await used()).seconds).toBe(2);
      end();
      await slow;
      expect((await used()).seconds).toBe(3);

      await unitOfWork(async (unit) => {
        await recomputeDiskUsed(unit, userId);
        // Refers to the account that is locked.
        await server.services.unitOfWork(async (other) => {
          const { uuid } = await other.queries
            .selectFrom('user_group')
            .select('uuid')
            .executeTakeFirstOrThrow();
          await other.queries
            .insertInto('group_member')
            .values({ group_uuid: uuid, user_id: userId, is_admin: 0 })
            .execute();
        });
      });
    });
  }
});
