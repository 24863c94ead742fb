/** What the server holds of runs, accounts and work under way, read from its database and its directory. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sizeOf, type Entry } from '@sheaf/trees';
import type { BundleEvent, OwnerEvidence, ServerEvidence } from './evidence.ts';
import type { Sql } from './sql.ts';

export interface BundleFacts {
  readonly state: string;
  readonly ownerId: string;
  readonly failureMessage: string;
  readonly dataSize: number;
  readonly storedSize: number;
  readonly epoch: number;
  readonly root: Entry | undefined;
}

interface BundleRow {
  readonly uuid: string;
  readonly owner_id: string;
  readonly state: string;
  readonly epoch: number;
  readonly data_size: number;
  readonly root_entry: string | null;
  readonly metadata: unknown;
}

export function bundlesIn(sql: Sql): Map<string, BundleFacts> {
  const rows = sql.rows<BundleRow>(
    'select uuid, owner_id, state, epoch, data_size, root_entry, metadata from bundle order by id',
  );
  return new Map(
    rows.map((row) => {
      const metadata = parsed(row.metadata) as { failure_message?: string };
      const root = row.root_entry === null ? undefined : (parsed(row.root_entry) as Entry);
      const facts = {
        state: row.state,
        ownerId: row.owner_id,
        failureMessage: metadata.failure_message ?? '',
        dataSize: Number(row.data_size),
        storedSize: root === undefined ? 0 : sizeOf(root),
        epoch: Number(row.epoch),
        root,
      };
      return [row.uuid, facts];
    }),
  );
}

export function eventsIn(sql: Sql): Map<string, BundleEvent[]> {
  const events = new Map<string, BundleEvent[]>();
  const rows = sql.rows<{ bundle_uuid: string; kind: string; details: unknown }>(
    'select bundle_uuid, kind, details from bundle_event order by id',
  );
  for (const { bundle_uuid: uuid, kind, details } of rows) {
    const { epoch, failure_cause: cause, state, text } = parsed(details) as Record<string, unknown>;
    const event = {
      kind,
      epoch: typeof epoch === 'number' ? epoch : undefined,
      cause: typeof cause === 'string' ? cause : undefined,
      state: typeof state === 'string' ? state : undefined,
      text: String(text),
    };
    events.set(uuid, [...(events.get(uuid) ?? []), event]);
  }
  return events;
}

export function ownersIn(sql: Sql): OwnerEvidence[] {
  const sums = new Map(
    sql
      .rows<{ owner_id: string; bytes: number }>(
        'select owner_id, coalesce(sum(data_size), 0) as bytes from bundle group by owner_id',
      )
      .map(({ owner_id: id, bytes }) => [id, Number(bytes)]),
  );
  return sql
    .rows<{ id: string; name: string; time_used: number; disk_used: number }>(
      'select id, name, time_used, disk_used from "user"',
    )
    .map(({ id, name, time_used: time, disk_used: disk }) => ({
      id,
      name,
      timeUsed: Number(time),
      diskUsed: Number(disk),
      bundleBytes: sums.get(id) ?? 0,
    }));
}

/** @param home directory of the server */
export function workLeft(sql: Sql, home: string): ServerEvidence {
  const words = (query: string) =>
    sql.rows<Record<string, unknown>>(query).map((row) => Object.values(row).join(' '));
  return {
    assignments: words('select run_uuid, worker_id from assignment'),
    messages: words('select type, run_uuid, worker_id from message'),
    leases: words(`select distinct lease.bundle_uuid, bundle.state from transfer_lease as lease
      left join bundle on bundle.uuid = lease.bundle_uuid
      where bundle.state is null or bundle.state in ('ready', 'failed', 'killed')`),
    sharedRuns: words('select run_uuid, epoch from shared_run'),
    files: filesIn(join(home, 'temporary')),
  };
}

function filesIn(directory: string): string[] {
  return statSync(directory, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(directory);
}

/** One engine hands JSON out as text, the other as what it means. */
function parsed(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : value;
}
