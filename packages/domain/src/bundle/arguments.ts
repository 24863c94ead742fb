import type { Metadata, MetadataValue } from './metadata-key.ts';
import { metadataFlag } from './metadata-table.ts';
import type { BundleType } from './states.ts';

/** What of a dependency shows in command lines and tables; names as they cross the wire. */
export interface DependencyView {
  child_path: string;
  parent_uuid: string;
  parent_path: string;
  parent_name?: string | null;
}

/**
 * The arguments of `cl` that would make the bundle again, null for uploads (bundles.md §19.2):
 * `run data:0x… "python t.py" --request-cpus 2`.
 */
export function recreatingArguments(bundle: {
  type: BundleType;
  command: string | null;
  dependencies: readonly DependencyView[];
  metadata: Metadata;
}): string | null {
  if (bundle.type !== 'run' && bundle.type !== 'make') return null;
  const words: string[] = [bundle.type];
  const alone = bundle.dependencies.length === 1;
  for (const { child_path: key, parent_uuid: uuid, parent_path: path } of bundle.dependencies) {
    const target = path === '' ? uuid : `${uuid}/${path}`;
    words.push(alone && key === '' ? target : `${key}:${target}`);
  }
  if (bundle.command !== null && bundle.command !== '') words.push(quoteCommand(bundle.command));
  const requests = Object.entries(bundle.metadata)
    .filter(([key, value]) => key.startsWith('request_') && isTruthy(value))
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
  for (const [key, value] of requests) {
    words.push(typeof value === 'boolean' ? metadataFlag(key) : `${metadataFlag(key)} ${String(value)}`);
  }
  return words.join(' ');
}

function quoteCommand(command: string): string {
  return /[ "]/.test(command) ? `"${command.replaceAll('"', '\\"')}"` : command;
}

function isTruthy(value: MetadataValue): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}
