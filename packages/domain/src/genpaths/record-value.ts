import { formatPermission, type Permission } from '../access/permission.ts';
import { recreatingArguments, type DependencyView } from '../bundle/arguments.ts';
import { isUploadedType, type Metadata } from '../bundle/metadata-key.ts';
import type { BundleType } from '../bundle/states.ts';
import type { Genpath } from './genpath.ts';
import type { GenpathValue } from './value.ts';

/** What is known of a bundle when its genpaths are evaluated. */
export interface BundleRecord {
  uuid: string;
  /** `private` for a bundle the viewer may not read. */
  type: BundleType | 'private';
  command: string | null;
  state: string | null;
  metadata: Metadata;
  dependencies: readonly DependencyView[];
  ownerName: string | null;
  permission: Permission | null;
  hostWorksheets?: readonly { name: string; uuid: string }[];
  groupPermissions?: readonly { groupName: string; groupUuid: string; permission: Permission }[];
  /** Other core attributes by their wire names: `state_details`, `frozen`, `is_anonymous`… */
  attributes?: Readonly<Record<string, GenpathValue>>;
}

/** The value of a genpath that needs no file (bundles.md §19.1); null where there is none. */
export function recordValue(genpath: Exclude<Genpath, { kind: 'file' }>, bundle: BundleRecord): GenpathValue {
  switch (genpath.kind) {
    case 'dependencies':
      return bundle.dependencies.map((dependency) => withKey(dependency, bundle.dependencies)).join(',');
    case 'dependency': {
      const found = bundle.dependencies.find(({ child_path: key }) => key === genpath.key);
      return found === undefined ? '<none>' : parentText(found);
    }
    case 'args':
      return argumentsOf(bundle);
    case 'summary':
      return summaryOf(bundle);
    case 'owner':
      return bundle.ownerName;
    case 'permission':
      return bundle.permission === null ? null : formatPermission(bundle.permission);
    case 'host_worksheets':
      return bundle.hostWorksheets?.map(({ name, uuid }) => `${name}(${uuid})`).join(' ') ?? null;
    case 'group_permissions':
      return bundle.groupPermissions === undefined ? null : formatGroupPermissions(bundle.groupPermissions);
    case 'field':
      return fieldValue(genpath.name, bundle);
  }
}

/** `public(0x9f8e7d):read,…`, or `-` when nobody was granted anything (cli.md §5.3). */
export function formatGroupPermissions(
  grants: readonly { groupName: string; groupUuid: string; permission: Permission }[],
): string {
  if (grants.length === 0) return '-';
  return grants
    .map(
      ({ groupName, groupUuid, permission }) =>
        `${groupName}(${groupUuid.slice(0, 8)}):${formatPermission(permission)}`,
    )
    .join(',');
}

function fieldValue(name: string, bundle: BundleRecord): GenpathValue {
  const core: Readonly<Record<string, GenpathValue>> = {
    ...bundle.attributes,
    uuid: bundle.uuid,
    bundle_type: bundle.type,
    command: bundle.command,
    state: bundle.state,
  };
  const attribute = Object.hasOwn(core, name) ? core[name] : undefined;
  if (attribute !== undefined && attribute !== null) return attribute;
  return Object.hasOwn(bundle.metadata, name) ? (bundle.metadata[name] ?? null) : null;
}

function withKey(dependency: DependencyView, all: readonly DependencyView[]): string {
  const { child_path: key, parent_name: name } = dependency;
  if (all.length === 1 && key === '') return parentText(dependency);
  return `${key === name ? '' : key}:${parentText(dependency)}`;
}

function parentText(dependency: DependencyView): string {
  const { parent_path: path } = dependency;
  return path === '' ? parentName(dependency) : `${parentName(dependency)}/${path}`;
}

/** A parent that is gone, or hidden from the viewer, has no name. */
function parentName({ parent_name: name, parent_uuid: uuid }: DependencyView): string {
  return name ?? uuid.slice(0, 8);
}

function argumentsOf(bundle: BundleRecord): string | null {
  return bundle.type === 'private' ? null : recreatingArguments({ ...bundle, type: bundle.type });
}

const longestSummary = 1024;

/** What a bundle is in a line (bundles.md §19.1): `! command`, `= parts`, `[uploaded]`. */
export function summaryOf(bundle: Pick<BundleRecord, 'type' | 'command' | 'state' | 'dependencies'>): string {
  const summary = fullSummary(bundle);
  return summary.length > longestSummary ? `${summary.slice(0, longestSummary)}...` : summary;
}

function fullSummary(bundle: Pick<BundleRecord, 'type' | 'command' | 'state' | 'dependencies'>): string {
  if (bundle.type === 'private') return '';
  if (isUploadedType(bundle.type)) return bundle.state === 'ready' ? '[uploaded]' : '';
  if (bundle.type === 'run') return `! ${bundle.command ?? ''}`;
  return `= ${bundle.dependencies.map(makePart).join(' ')}`;
}

function makePart(dependency: DependencyView): string {
  const name = parentName(dependency);
  const key = dependency.child_path === '' ? name : dependency.child_path;
  return `${key}{${key === name ? '' : `${name}:`}${dependency.parent_uuid.slice(0, 4)}}`;
}
