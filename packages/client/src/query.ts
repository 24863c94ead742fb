/** Query parameters as the server reads them (rest-api.md §1.4). */

export type QueryValue = string | number | boolean | readonly string[] | undefined;
export type Query = Readonly<Record<string, QueryValue>>;

/** Encodes parameters: lists are repeated, booleans are 1 or 0, undefined is left out. Begins with `?` unless empty. */
export function encodeQuery(query: Query): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    const values = typeof value === 'object' ? value : [typeof value === 'boolean' ? Number(value) : value];
    for (const one of values) parts.push(`${encodeURIComponent(name)}=${encodeURIComponent(String(one))}`);
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** Encodes a path below a bundle: every component, the slashes between them stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
