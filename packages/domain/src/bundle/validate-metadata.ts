import { failure, success, type Outcome } from '../outcome.ts';
import { nameProblem } from '../names.ts';
import { parseDuration } from '../units/duration.ts';
import { parseSize } from '../units/size.ts';
import type { Metadata, MetadataKey, MetadataType, MetadataValue } from './metadata-key.ts';
import { metadataKey, metadataKeys } from './metadata-table.ts';
import type { BundleType } from './states.ts';

/** The text original servers answer for a value outside ASCII (rest-api.md §10.2). */
export const asciiProblem = 'Invalid character detected; use ascii characters only.';

/**
 * The first thing wrong with the metadata of a bundle, or undefined (bundles.md §4.2, rest-api.md §10.2). Meant for the
 * whole metadata: at creation what the client sent, at an update the stored values with the changes applied
 * (`completeMetadata` supplies the keys that rows leave out).
 */
export function validateMetadata(type: BundleType, metadata: Metadata): string | undefined {
  for (const key of Object.keys(metadata)) {
    if (metadataKey(type, key) === undefined) return `Unexpected metadata key: ${key}`;
  }
  for (const specification of metadataKeys(type)) {
    const value = Object.hasOwn(metadata, specification.key) ? metadata[specification.key] : undefined;
    const problem = keyProblem(specification, value);
    if (problem !== undefined) return problem;
  }
  const name = metadata['name'];
  return nameProblem('bundle', typeof name === 'string' ? name : '');
}

function keyProblem(specification: MetadataKey, value: MetadataValue | undefined): string | undefined {
  if (value === undefined) {
    const required = !specification.generated && !specification.optional;
    return required ? `Missing metadata key: ${specification.key}` : undefined;
  }
  if (value === null) return undefined;
  if (!hasType(value, specification.type)) {
    return `Metadata value for ${specification.key} should be of type ${specification.type}, not ${typeName(value)}`;
  }
  return (
    rangeProblem(specification, value) ??
    formatProblem(specification, value) ??
    (isAscii(value) ? undefined : asciiProblem)
  );
}

function hasType(value: MetadataValue, type: MetadataType): boolean {
  switch (type) {
    case 'str':
      return typeof value === 'string';
    case 'int':
      return Number.isSafeInteger(value) || typeof value === 'boolean';
    case 'float':
      return typeof value === 'number' && Number.isFinite(value);
    case 'bool':
      return typeof value === 'boolean';
    case 'list':
      return Array.isArray(value) && value.every((element) => typeof element === 'string');
  }
}

function typeName(value: MetadataValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  return typeof value === 'string' ? 'str' : typeof value === 'boolean' ? 'bool' : 'object';
}

function rangeProblem({ key, minimum }: MetadataKey, value: MetadataValue): string | undefined {
  if (minimum === undefined || typeof value !== 'number' || value >= minimum) return undefined;
  return `Metadata value for ${key} should be ${minimum} or more, not ${value}`;
}

function formatProblem(specification: MetadataKey, value: MetadataValue): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const parse =
    specification.format === 'size'
      ? parseSize
      : specification.format === 'duration'
        ? parseDuration
        : undefined;
  const parsed = parse?.(value);
  return parsed === undefined || parsed.ok ? undefined : parsed.problem;
}

/** Whether a text, or every element of a list, is ASCII; other values are. */
export function isAscii(value: MetadataValue): boolean {
  // oxlint-disable-next-line no-control-regex -- the range is the point
  const ascii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);
  if (typeof value === 'string') return ascii(value);
  return !Array.isArray(value) || value.every(ascii);
}

/**
 * The value a text stands for: how `cl edit -f KEY VALUE`, which always sends text, reaches keys of other types
 * (rest-api.md §14), and how a form line is read. Empty text is null, except for `str` keys.
 */
export function metadataValueFromText(specification: MetadataKey, text: string): Outcome<MetadataValue> {
  if (specification.type === 'str') return success(text);
  const trimmed = text.trim();
  if (specification.type === 'list') return success(trimmed === '' ? [] : trimmed.split(/\s+/));
  if (trimmed === '') return success(null);
  if (specification.type === 'bool') return boolFromText(specification.key, trimmed);
  const pattern = specification.type === 'int' ? /^[+-]?\d+$/ : /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
  const value = Number(trimmed);
  if (!pattern.test(trimmed) || !hasType(value, specification.type)) {
    return failure(
      `Metadata value for ${specification.key} should be of type ${specification.type}, not ${trimmed}`,
    );
  }
  return success(value);
}

function boolFromText(key: string, text: string): Outcome<MetadataValue> {
  const lower = text.toLowerCase();
  if (['true', 'yes', 'on', '1'].includes(lower)) return success(true);
  if (['false', 'no', 'off', '0'].includes(lower)) return success(false);
  return failure(`Metadata value for ${key} should be of type bool, not ${text}`);
}
