/** What has happened to a bundle, line by line. */
import type { BundleEvent } from '@sheaf/wire';
import { localDate } from './bundle-table.ts';

export const eventColumns = ['time', 'attempt', 'worker', 'what'] as const;

export function eventCells(event: BundleEvent): string[] {
  return [
    timeOf(event),
    event.attempt === null ? '' : String(event.attempt),
    placeOf(event),
    oneLine(event.text),
  ];
}

/** How many events `cl info` shows unless it shows everything. */
const shownEvents = 3;

/** The history in the midst of other facts about a bundle; empty where nothing has happened. */
export function historyLines(events: readonly BundleEvent[], options: { readonly all: boolean }): string[] {
  if (events.length === 0) return [];
  const shown = options.all ? events : events.slice(-shownEvents);
  const earlier = events.length - shown.length;
  const more = earlier === 0 ? [] : [`  … ${earlier} earlier: see \`cl events\``];
  return ['history:', ...more, ...shown.map((event) => `  ${timeOf(event)}  ${oneLine(event.text)}`)];
}

function timeOf({ at }: BundleEvent): string {
  return localDate(Math.floor(Date.parse(at) / 1000));
}

function placeOf({ worker_id: worker, host }: BundleEvent): string {
  if (worker === null) return '';
  return host === null || host === '' || host === worker ? worker : `${worker} (${host})`;
}

/** What programs have said may have several lines. */
function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ');
}
