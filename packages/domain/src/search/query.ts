import type { TextMatch } from '../text-match.ts';

/*
 * What a bundle search asks for (rest-api.md §12), without a word about how it is answered. Texts are compared without
 * regard to case.
 */

export interface SearchQuery {
  /** All must hold. */
  conditions: SearchCondition[];
  /** Without one: by insertion, oldest first. */
  sort: { field: SearchField; descending: boolean } | undefined;
  /** Null for all; an aggregate ignores it. */
  limit: number | null;
  offset: number;
  /** A number is asked for instead of bundles. */
  aggregate: { kind: 'count' } | { kind: 'sum'; field: SearchField } | undefined;
  /** Post-processor for the number of an aggregate. */
  format: string | undefined;
}

export type SearchCondition =
  /** The uuid or the name contains it; pieces stand between wildcards. */
  | { kind: 'word'; contains: TextMatch }
  /** The uuid, the command or any metadata value contains it. */
  | { kind: 'anywhere'; contains: TextMatch }
  | { kind: 'field'; field: SearchField; value: ValueMatch }
  /** The bundle has a value for the field: implied by sorting. */
  | { kind: 'has-field'; field: SearchField }
  /** Owned by one of the users of these names or e-mail addresses; by nobody if there are none. */
  | { kind: 'owner'; names: string[] }
  | { kind: 'mine' }
  /** Readable by some group the asker is a member of, `public` aside. */
  | { kind: 'shared' }
  /** Readable by the group; resolved with the asker's eyes. */
  | { kind: 'group'; spec: string }
  /** Depends on the bundle, under the key if there is one. */
  | { kind: 'dependency'; key: string | undefined; parent: ValueMatch }
  | { kind: 'host-worksheet'; worksheet: ValueMatch }
  | { kind: 'floating' }
  /** Created at or before, at or after; epoch seconds. */
  | { kind: 'created-before'; seconds: number }
  | { kind: 'created-after'; seconds: number };

export type SearchColumn = 'uuid' | 'id' | 'state' | 'command' | 'owner_id' | 'bundle_type';

export type SearchField =
  | { kind: 'column'; column: SearchColumn; order: FieldOrder }
  /** Any key that is no column: unknown keys match nothing. */
  | { kind: 'metadata'; key: string; order: FieldOrder };

/** How values of a field are compared when they are sorted. */
export type FieldOrder = 'number' | 'text';

export type ValueMatch = TextMatch | { kind: 'one-of'; texts: string[] };

/** Search results without `.limit`. */
export const defaultSearchLimit = 10;
