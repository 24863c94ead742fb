/** JSON:API documents, read as plain objects: attributes, id and relationships side by side (cli.md §7.3). */
import type { Document, Linkage, Resource } from '@sheaf/wire';

/** A resource with its attributes at the top, and its relationships replaced by the resources they point to. */
export type Flat<Attributes> = Attributes & {
  readonly id: string;
  readonly type: string;
  readonly [relationship: string]: unknown;
};

type Attributes = Record<string, unknown>;

/**
 * Flattens one resource. A relationship whose resource is not included becomes `{id, type}`; an empty one null. An attribute
 * named `type` wins over the resource's type, which worksheet items rely on.
 */
export function flatten<Known>(
  resource: Resource<Known>,
  included: readonly Resource<Attributes>[] = [],
): Flat<Known> {
  const byKey = new Map(included.map((one) => [keyOf(one.type, one.id), one]));
  return flattenWith(resource as Resource<Attributes>, byKey, new Set()) as Flat<Known>;
}

export function flattenOne<Known>(document: Document<Resource<Known>>): Flat<Known> {
  return flatten(document.data, document.included);
}

export function flattenAll<Known>(document: Document<Resource<Known>[]>): Flat<Known>[] {
  return document.data.map((one) => flatten(one, document.included));
}

function flattenWith(
  resource: Resource<Attributes>,
  included: ReadonlyMap<string, Resource<Attributes>>,
  above: ReadonlySet<string>,
): Record<string, unknown> {
  const key = keyOf(resource.type, resource.id);
  const within = new Set(above).add(key);
  const resolve = (linkage: Linkage): Record<string, unknown> => {
    const found = included.get(keyOf(linkage.type, linkage.id));
    // Resources that include each other in a circle stop at the second meeting.
    if (found === undefined || within.has(keyOf(linkage.type, linkage.id))) return { ...linkage };
    return flattenWith(found, included, within);
  };
  const relations: Record<string, unknown> = {};
  for (const [name, { data }] of Object.entries(resource.relationships ?? {})) {
    relations[name] = data === null ? null : Array.isArray(data) ? data.map(resolve) : resolve(data);
  }
  return { type: resource.type, ...resource.attributes, id: resource.id, ...relations };
}

function keyOf(type: string, id: string | null): string {
  return `${type}/${String(id)}`;
}
