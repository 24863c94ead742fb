/* One server with its own database, as a process, with runs that wait: created over its REST API, many in one request. */
import { clientDefaults } from '@sheaf/domain';
import { requirePostgres } from '@sheaf/testkit';
import { Installation } from '../../tests/support/installation.ts';
import { join } from 'node:path';
import { end } from '../../tests/support/launch.ts';
import { openRead, type ReadDatabase } from './read-database.ts';

export type Engine = 'sqlite' | 'postgresql';

export interface ServerUnderLoad {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly database: ReadDatabase;
  /** Creates runs and waits until all of them can be given to workers. */
  queue(count: number): Promise<void>;
  /** Where there is an empty database of the same engine, beside the server's own. */
  emptyDatabase(): Promise<string>;
  /** Ends it in the middle of its work, and starts it again at the same address. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Runs of one request. */
const atOnce = 500;

export async function startServerUnderLoad(engine: Engine): Promise<ServerUnderLoad> {
  const postgres = engine === 'postgresql' ? await requirePostgres() : undefined;
  const databaseUrl = await postgres?.freshDatabase();
  const nodeOptions = process.env['BENCH_NODE_OPTIONS'];
  const installation = new Installation('sandbox', {
    SHEAF_LOG_LEVEL: 'warn',
    ...(databaseUrl === undefined ? {} : { SHEAF_DATABASE_URL: databaseUrl }),
    // For whoever wants to see where the time goes, such as `--require` of a script that takes a profile.
    ...(nodeOptions === undefined ? {} : { NODE_OPTIONS: nodeOptions }),
  });
  try {
    await installation.startServer();
    const token = await installation.token();
    const database = await openRead(databaseUrl ?? `${installation.home}/database/sheaf.sqlite`);
    return {
      url: installation.url,
      token,
      pid: installation.server?.pid ?? 0,
      database,
      async queue(count) {
        for (let made = 0; made < count; made += atOnce)
          await createRuns(installation, Math.min(atOnce, count - made));
        for (;;) {
          const [row] = await database.all("select count(*) as waiting from bundle where state = 'created'");
          if (Number(row?.['waiting']) === 0) return;
          await new Promise((resolve) => setTimeout(resolve, 250));
        }
      },
      emptyDatabase: async () =>
        (await postgres?.freshDatabase()) ?? join(installation.home, 'database/bare.sqlite'),
      async restart() {
        await end(installation.server, 'SIGKILL');
        await installation.startServer();
      },
      async stop() {
        await database.close();
        await installation.stop();
        await postgres?.stop();
      },
    };
  } catch (error) {
    await installation.stop();
    await postgres?.stop();
    throw error;
  }
}

async function createRuns(installation: Installation, count: number): Promise<void> {
  const metadata = { ...clientDefaults('run'), name: 'throughput' };
  const attributes = { bundle_type: 'run', command: 'true', metadata, dependencies: [] };
  const data = Array.from({ length: count }, () => ({ type: 'bundles', attributes }));
  await installation.api('POST', '/bundles?detached=1', { data });
}
