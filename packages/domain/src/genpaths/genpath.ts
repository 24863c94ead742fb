/** A genpath taken apart (bundles.md §19.1, worksheets.md §6): the name of a value of a bundle. */
export type Genpath =
  /** A value inside a file of the bundle: `/stats:train/err`. The path has no leading slash; empty is the root. */
  | { kind: 'file'; path: string; keys: readonly string[] }
  | { kind: 'dependencies' }
  | { kind: 'dependency'; key: string }
  | { kind: 'args' }
  | { kind: 'summary' }
  | { kind: 'owner' }
  | { kind: 'permission' }
  | { kind: 'host_worksheets' }
  | { kind: 'group_permissions' }
  /** A core attribute, else a metadata key. */
  | { kind: 'field'; name: string };

export function parseGenpath(text: string): Genpath {
  if (text.startsWith('/')) return parseFileGenpath(text);
  if (text.startsWith('dependencies/'))
    return { kind: 'dependency', key: text.slice('dependencies/'.length) };
  switch (text) {
    case 'dependencies':
    case 'args':
    case 'summary':
    case 'owner':
    case 'permission':
    case 'host_worksheets':
    case 'group_permissions':
      return { kind: text };
    default:
      return { kind: 'field', name: text };
  }
}

/** `/path` or `/path:key/key…`; the first colon ends the path. */
function parseFileGenpath(text: string): Genpath {
  const colon = text.indexOf(':');
  if (colon < 0) return { kind: 'file', path: text.slice(1), keys: [] };
  const keys = text.slice(colon + 1);
  return { kind: 'file', path: text.slice(1, colon), keys: keys === '' ? [] : keys.split('/') };
}

/** The column name a genpath gives when none is written: what follows its last `:` and `/` (worksheets.md §5.1). */
export function genpathColumnName(genpath: string): string {
  const lastPart = genpath.slice(genpath.lastIndexOf('/') + 1);
  return lastPart.slice(lastPart.lastIndexOf(':') + 1);
}
