/** Options that set metadata of a new bundle: one for each key of its type that users set (cli.md §6). */
import {
  asciiProblem,
  clientDefaults,
  isAscii,
  metadataFlag,
  metadataKeys,
  type BundleType,
  type MetadataKey,
  type MetadataType,
  type MetadataValue,
} from '@sheaf/domain';
import type { Arguments } from './arguments/arguments.ts';
import type { Flag, FlagKind } from './arguments/specification.ts';
import { UsageError } from './usage-error.ts';

const kinds: Readonly<Record<MetadataType, FlagKind>> = {
  str: 'text',
  int: 'integer',
  float: 'text',
  bool: 'switch',
  list: 'words',
};

const shortNames: Readonly<Record<string, string>> = { name: '-n', description: '-d' };

export function metadataFlags(type: BundleType): Flag[] {
  return userKeys(type).flatMap((key) => flagsOf(key));
}

function flagsOf({ key, type, help, clientDefault }: MetadataKey): Flag[] {
  const short = shortNames[key];
  const long = metadataFlag(key);
  const flag: Flag = { long, kind: kinds[type], help, ...(short === undefined ? {} : { short }) };
  // What is on unless told otherwise needs a way to switch it off.
  if (type === 'bool' && clientDefault === true) {
    return [
      flag,
      { long: offSwitch(long), kind: 'switch', help: `The opposite of ${long}, which is the default.` },
    ];
  }
  return [flag];
}

function offSwitch(long: string): string {
  return long.replace('--', '--no-');
}

function userKeys(type: BundleType): readonly MetadataKey[] {
  return metadataKeys(type).filter(({ generated }) => !generated);
}

/**
 * The metadata to create a bundle with: the defaults, and what was given on the command line.
 * @param name used where the user gave none.
 * @throws UsageError for text that is not ASCII.
 */
export function metadataOf(type: BundleType, given: Arguments, name: string): Record<string, MetadataValue> {
  const metadata: Record<string, MetadataValue> = { name, ...clientDefaults(type) };
  for (const key of userKeys(type)) {
    const value = givenValue(key, given);
    if (value === undefined) continue;
    if (!isAscii(value)) {
      throw new UsageError(`Metadata cannot contain unicode: ${key.key} = ${String(value)}`, asciiProblem);
    }
    metadata[key.key] = value;
  }
  return metadata;
}

function givenValue({ key, type, clientDefault }: MetadataKey, given: Arguments): MetadataValue | undefined {
  const long = metadataFlag(key);
  switch (type) {
    case 'str':
    case 'float':
      return given.text(long);
    case 'int':
      return given.integer(long);
    case 'list': {
      const words = given.words(long);
      return words === undefined ? undefined : [...words];
    }
    case 'bool':
      return switchValue(long, clientDefault === true, given);
  }
}

/** @throws UsageError for both the switch and its opposite. */
function switchValue(long: string, canBeOff: boolean, given: Arguments): boolean | undefined {
  const isOff = canBeOff && given.has(offSwitch(long));
  if (isOff && given.has(long)) throw new UsageError(`${long} and ${offSwitch(long)} exclude each other.`);
  return isOff ? false : given.has(long) ? true : undefined;
}
