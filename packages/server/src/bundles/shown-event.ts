/* An event of a bundle's history, as those may see it who may read the bundle. */
import type { BundleEvent } from '@sheaf/wire';
import type { Selectable } from 'kysely';
import { z } from 'zod';
import { readableJson } from '../database/readable-json.ts';
import type { BundleEventTable } from '../database/schema.ts';
import { isoInstant } from '../http/instant.ts';

const stored = z.record(z.string(), z.unknown());
const damaged: z.infer<typeof stored> = {
  text: 'What happened cannot be read any more: the record is damaged.',
};

/** Details that say who was concerned. */
const names = new Set(['worker', 'worker_id', 'host', 'user_id', 'user_name']);

/** @param named false: nobody is named, as the bundle is anonymous for whoever asks */
export function shownEvent(
  { at, kind, details: json }: Pick<Selectable<BundleEventTable>, 'at' | 'kind' | 'details'>,
  { named }: { named: boolean },
): BundleEvent {
  const { anonymous_text: anonymousText, ...all } = stored.safeParse(readableJson(json)).data ?? damaged;
  const details = named
    ? all
    : {
        ...Object.fromEntries(Object.entries(all).filter(([key]) => !names.has(key))),
        text: anonymousText ?? all['text'],
      };
  return {
    at: isoInstant(at),
    kind,
    text: textOf(details['text']) ?? '',
    attempt: typeof details['epoch'] === 'number' ? details['epoch'] : null,
    worker_id: textOf(details['worker_id']),
    host: textOf(details['host']),
    details,
  };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
