import { describe, expect, it } from 'vitest';
import { postgresqlPrograms } from '../testing/postgresql.ts';
import { startTestServer } from '../testing/test-server.ts';

// The other engine has one writer at a time: nothing there can wait in a circle.
describe.runIf(postgresqlPrograms() !== undefined || process.env['CI'] === 'true')(
  'transactions that wait for each other',
  () => {
    it('both succeed, and announce once', async () => {
      const server = await startTestServer({ database: 'postgresql' });
      try {
        const { services } = server;
        const one = await server.createUser({ name: 'one' });
        const two = await server.createUser({ name: 'two' });
        const announced: string[] = [];
        services.events.on('worker.changed', ({ workerId }) => announced.push(workerId));
        let holding = 0;
        let bothHold = () => {};
        const both = new Promise<void>((resolve) => {
          bothHold = resolve;
        });
        let attempts = 0;
        const charge = (first: string, second: string, name: string) =>
          services.unitOfWork(async (unit) => {
            attempts += 1;
            unit.announce({ type: 'worker.changed', userId: '0', workerId: name });
            const add = (id: string) =>
              unit.queries
                .updateTable('user')
                .set((user) => ({ disk_used: user('disk_used', '+', 1) }))
                .where('id', '=', id)
                .execute();
            await add(first);
            holding += 1;
            if (holding === 2) bothHold();
            await both;
            await add(second);
          });
        await Promise.all([charge(one.id, two.id, 'forth'), charge(two.id, one.id, 'back')]);
        const rows = await services.database.queries
          .selectFrom('user')
          .select('disk_used')
          .where('name', 'in', ['one', 'two'])
          .execute();
        expect(rows).toEqual([{ disk_used: 2 }, { disk_used: 2 }]);
        // The one begun again may take the row before the other has noticed that it is free: then they meet once more.
        expect(attempts).toBeGreaterThanOrEqual(3);
        expect(announced.toSorted()).toEqual(['back', 'forth']);
      } finally {
        await server.close();
      }
    });
  },
);
