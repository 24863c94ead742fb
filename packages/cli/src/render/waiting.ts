/** Why bundles do not go on, in a line each. */
import type { Bundle } from '@sheaf/client';

const waiting: readonly (string | null)[] = ['created', 'staged', 'starting', 'making', 'worker_offline'];

/** `staged: No worker can meet …`; undefined for bundles that wait for nothing. */
export function waitingText(state: string | null, details: string | null | undefined): string | undefined {
  if (!waiting.includes(state) || details === null || details === undefined || details === '')
    return undefined;
  return `${state}: ${details}`;
}

/** Seconds that everything takes now and then. */
const moment = 5;
const mostLines = 5;

/** One line for each of the last few bundles of a list that have waited for longer than a moment. @param now seconds since the epoch */
export function waitingLines(bundles: readonly Bundle[], now: number): string[] {
  const lines = bundles.flatMap((bundle) => {
    const text = waitingText(bundle.state, bundle.state_details);
    const created = bundle.metadata['created'];
    if (text === undefined || (typeof created === 'number' && created > now - moment)) return [];
    return [`${String(bundle.metadata['name'])}(${bundle.uuid.slice(0, 8)}) ${text}`];
  });
  const more = lines.length - mostLines;
  return more > 0 ? [`${more} more bundles wait; \`cl info\` says why.`, ...lines.slice(-mostLines)] : lines;
}
