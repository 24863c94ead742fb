/** Everything about one bundle, line by line (cli.md §8.9). */
import type { Bundle } from '@sheaf/client';
import {
  bundleTypes,
  formatDuration,
  formatSize,
  metadataKeys,
  pythonText,
  type BundleType,
  type MetadataKey,
  type MetadataValue,
} from '@sheaf/domain';
import { localDate } from './bundle-table.ts';
import { bundleText, none, userText } from './names.ts';

export interface InfoOptions {
  /** All known keys, unformatted. */
  readonly raw: boolean;
  /** Keys for those who look closely, too. */
  readonly verbose: boolean;
  /** Keys that only administrators care for. */
  readonly hidden: boolean;
  /** Where the contents are, as the server names its stores; empty shows nothing. */
  readonly locations: readonly Readonly<Record<string, unknown>>[];
}

const core = ['bundle_type', 'uuid', 'state', 'command', 'frozen', 'is_anonymous'] as const;

export function infoLines(bundle: Bundle, options: InfoOptions): string[] {
  const lines = core.map((key) => line(key, bundle[key] ?? null));
  lines.push(...standingLines(bundle), line('owner', userText(bundle.owner)));
  const keys = keysOf(bundle.bundle_type);
  for (const key of keys) {
    const value = bundle.metadata[key.key] ?? null;
    if (isLeftOut(key, options)) continue;
    // What a run once waited for says nothing any more when it does not wait.
    if (key.key === 'staged_status' && bundle.state !== 'staged' && !options.raw) continue;
    if (options.raw) lines.push(line(key.key, value));
    else if (!isEmpty(value)) lines.push(line(key.key, formatted(key, value)));
  }
  if (options.locations.length > 0) lines.push(line('bundle stores', storesText(options)));
  const known = new Set(keys.map(({ key }) => key));
  for (const [key, value] of Object.entries(bundle.metadata)) {
    if (!known.has(key) && !isEmpty(value)) lines.push(line(key, listText(value)));
  }
  return [...lines, ...dependencyLines(bundle)];
}

/** Other states say in a key of their own where the bundle stands. */
function standingLines({ state, state_details: details }: Bundle): string[] {
  return state === 'created' || state === 'making' ? [line('state_details', details ?? null)] : [];
}

function isLeftOut({ hidden, detail }: MetadataKey, options: InfoOptions): boolean {
  return (hidden && !options.hidden) || (detail && !options.verbose && !options.raw);
}

function line(key: string, value: MetadataValue): string {
  return `${key.padEnd(26)}: ${value === null ? none : pythonText(value)}`;
}

/** Bundles that may not be read have no specified metadata. */
function keysOf(type: string): readonly MetadataKey[] {
  return (bundleTypes as readonly string[]).includes(type) ? metadataKeys(type as BundleType) : [];
}

function isEmpty(value: MetadataValue): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** Values that are no number, such as `2g`, stay as they are. */
function formatted(key: MetadataKey, value: MetadataValue): MetadataValue {
  if (typeof value !== 'number') return listText(value);
  switch (key.format) {
    case 'date':
      return localDate(value);
    case 'size':
      return formatSize(value, { withBytes: true });
    case 'duration':
      return formatDuration(value);
    case undefined:
      return value;
  }
}

function listText(value: MetadataValue): MetadataValue {
  return Array.isArray(value) ? value.join(' ') : value;
}

function storesText({ raw, locations }: InfoOptions): string {
  return raw ? JSON.stringify(locations) : locations.map(({ name }) => String(name)).join(',');
}

function dependencyLines({ dependencies }: Bundle): string[] {
  if (dependencies.length === 0) return [];
  const lines = dependencies.map((one) => {
    const path = one.parent_path === '' ? '' : `/${one.parent_path}`;
    return `  ${one.child_path}: ${bundleText(one.parent_name ?? none, one.parent_uuid)}${path}`;
  });
  return ['dependencies:', ...lines];
}

/** What `-v` adds before the previews of the contents. */
export function relationLines(bundle: Bundle, permissions: string, permission: string): string[] {
  return [
    'children:',
    ...(bundle.children ?? []).map((child) => `  ${bundleText(String(child.metadata['name']), child.uuid)}`),
    'host_worksheets:',
    ...(bundle.host_worksheets ?? []).map(({ name, uuid }) => `  ${bundleText(name, uuid)}`),
    `permission: ${permission}`,
    'group_permissions:',
    `  ${permissions}`,
  ];
}
