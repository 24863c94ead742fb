/* `GET /health` and `/metrics` for operators: is it alive, and a few numbers in Prometheus' text format. */
import { isOpen } from '../bundles/open-bundles.ts';
import { sql } from 'kysely';
import type { FastifyInstance } from 'fastify';
import { bundleStates } from '@sheaf/domain';
import type { Execution } from '../runs/execution.ts';
import type { Services } from '../services.ts';
import { sendJson } from './json.ts';

export function registerHealthRoutes(app: FastifyInstance, services: Services, execution: Execution): void {
  const requests = new Map<string, number>();
  app.addHook('onResponse', async (request, reply) => {
    const key = `${request.method} ${Math.floor(reply.statusCode / 100)}xx`;
    requests.set(key, (requests.get(key) ?? 0) + 1);
  });

  app.get(
    '/health',
    { config: { access: 'public', allowUnverified: true }, logLevel: 'warn' },
    async (_request, reply) => {
      await sql`select 1`.execute(services.database.queries);
      return sendJson(reply, { status: 'ok' });
    },
  );

  app.get(
    '/metrics',
    { config: { access: 'public', allowUnverified: true }, logLevel: 'warn' },
    async (_request, reply) => {
      const bundles = await bundleLines(services);
      const lines = [...requestLines(requests), ...bundles, ...schedulerLines(execution), ...processLines()];
      const text = lines.join('\n');
      return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(`${text}\n`);
    },
  );
}

function requestLines(requests: ReadonlyMap<string, number>): string[] {
  const lines = [
    '# HELP sheaf_http_requests_total Answered requests.',
    '# TYPE sheaf_http_requests_total counter',
  ];
  for (const [key, count] of requests) {
    const [method, status] = key.split(' ');
    lines.push(`sheaf_http_requests_total{method="${method}",status="${status}"} ${count}`);
  }
  return lines;
}

async function bundleLines({ database }: Services): Promise<string[]> {
  const unfinished = bundleStates.filter((state) => !['ready', 'failed', 'killed'].includes(state));
  const counts = await database.queries
    .selectFrom('bundle')
    .select(['state', (eb) => eb.fn.countAll<number>().as('bundles')])
    .where(isOpen())
    .groupBy('state')
    .execute();
  const count = new Map(counts.map((row) => [row.state, Number(row.bundles)]));
  return [
    '# HELP sheaf_bundles Bundles that are not final, by state.',
    '# TYPE sheaf_bundles gauge',
    ...unfinished.map((state) => `sheaf_bundles{state="${state}"} ${count.get(state) ?? 0}`),
  ];
}

function schedulerLines({ counters, backlog }: Execution): string[] {
  return [
    '# HELP sheaf_scheduler_passes_total Passes of the scheduler.',
    '# TYPE sheaf_scheduler_passes_total counter',
    `sheaf_scheduler_passes_total ${counters.passes}`,
    '# HELP sheaf_scheduler_pass_seconds_total Time that the passes took.',
    '# TYPE sheaf_scheduler_pass_seconds_total counter',
    `sheaf_scheduler_pass_seconds_total ${counters.milliseconds / 1000}`,
    '# HELP sheaf_scheduler_looked_over_total Passes that looked at everything instead of what had changed.',
    '# TYPE sheaf_scheduler_looked_over_total counter',
    `sheaf_scheduler_looked_over_total ${backlog.lookedOver}`,
    '# HELP sheaf_scheduler_waiting_runs Runs that wait for a worker, as the last pass knew them.',
    '# TYPE sheaf_scheduler_waiting_runs gauge',
    `sheaf_scheduler_waiting_runs ${backlog.runs.size}`,
    '# HELP sheaf_scheduler_found_by_tick_total Passes of the safety tick that found work no event had told of.',
    '# TYPE sheaf_scheduler_found_by_tick_total counter',
    `sheaf_scheduler_found_by_tick_total ${counters.foundByTick}`,
  ];
}

function processLines(): string[] {
  return [
    '# TYPE process_resident_memory_bytes gauge',
    `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    '# TYPE process_uptime_seconds gauge',
    `process_uptime_seconds ${Math.floor(process.uptime())}`,
  ];
}
