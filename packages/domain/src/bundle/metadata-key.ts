import type { BundleType } from './states.ts';

/** What is known about one metadata key of a bundle type (bundles.md §4.1). */
export interface MetadataKey {
  readonly key: string;
  readonly type: MetadataType;
  /** Written by the system: no command-line flag, may be absent. */
  readonly generated: boolean;
  /** A key of the user that may be absent when a bundle is created. */
  readonly optional: boolean;
  /** How people read the value: an instant (epoch seconds), bytes or seconds. */
  readonly format: MetadataFormat | undefined;
  /** Left out of `cl info` unless the viewer is root or asks for it. */
  readonly hidden: boolean;
  /** Left out of `cl info` unless the viewer asks for more, or for everything. */
  readonly detail: boolean;
  /** Offered for editing only while the bundle is `created` or `staged`. */
  readonly locked: boolean;
  /** Would tell who made an anonymous bundle. */
  readonly identifying: boolean;
  /** The smallest number allowed. */
  readonly minimum: number | undefined;
  /**
   * What a client sends when the user gives nothing; undefined for generated keys and for `name`. Null for keys that other servers
   * do not know: they are neither sent nor shown unless they are set.
   */
  readonly clientDefault: MetadataValue | undefined;
  /** One sentence for help texts and the bundle page. */
  readonly help: string;
}

export type MetadataType = 'str' | 'int' | 'float' | 'bool' | 'list';
export type MetadataFormat = 'date' | 'size' | 'duration';
export type MetadataValue = string | number | boolean | string[] | null;
export type Metadata = Readonly<Record<string, MetadataValue>>;

/** Types whose contents come from an upload; `program` is a legacy synonym (bundles.md §3). */
export function isUploadedType(type: BundleType): boolean {
  return type === 'dataset' || type === 'program';
}

type Flags = Partial<
  Pick<
    MetadataKey,
    | 'generated'
    | 'optional'
    | 'format'
    | 'hidden'
    | 'detail'
    | 'locked'
    | 'identifying'
    | 'minimum'
    | 'clientDefault'
  >
>;

/** A key the user sets. The zero of its type is what clients send unless `flags.clientDefault` says otherwise. */
export function userKey(key: string, type: MetadataType, help: string, flags: Flags = {}): MetadataKey {
  return { ...plain, clientDefault: zeroOf(type), ...flags, key, type, help };
}

/** A key only the system writes. */
export function generatedKey(key: string, type: MetadataType, help: string, flags: Flags = {}): MetadataKey {
  return { ...plain, ...flags, key, type, help, generated: true };
}

const plain = {
  generated: false,
  optional: false,
  format: undefined,
  hidden: false,
  detail: false,
  locked: false,
  identifying: false,
  minimum: undefined,
  clientDefault: undefined,
} as const;

/** What an absent key of the user reads as (bundles.md §4.1). */
export function zeroOf(type: MetadataType): Exclude<MetadataValue, null> {
  switch (type) {
    case 'str':
      return '';
    case 'int':
    case 'float':
      return 0;
    case 'bool':
      return false;
    case 'list':
      return [];
  }
}
