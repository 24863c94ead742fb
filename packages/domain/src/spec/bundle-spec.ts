import { isUuid, isUuidPrefix, type Uuid } from '../ids.ts';
import { failure, success, type Outcome } from '../outcome.ts';
import { formatTextMatch, parseTextMatch, type TextMatch } from '../text-match.ts';
import { formatWorksheetSpec, parseWorksheetSpec, type WorksheetSpec } from './worksheet-spec.ts';

/** What a bundle spec says once it is on a worksheet (bundles.md §2.4, rest-api.md §9.2). */
export type LocalBundleSpec =
  | { kind: 'uuid'; uuid: Uuid }
  | { kind: 'prefix'; prefix: string }
  /** The `index`-th most recent bundle of that name, from 1. */
  | { kind: 'name'; name: TextMatch; index: number }
  /** The `index`-th most recent bundle of the worksheet, from 1. */
  | { kind: 'index'; index: number };

/** A bundle spec as the server reads it: on the base worksheet, or `<worksheet>/<spec>` on a named one. */
export type BundleSpec =
  | LocalBundleSpec
  | { kind: 'on-worksheet'; worksheet: WorksheetSpec; bundle: LocalBundleSpec };

const indexedPattern = /^([%*a-zA-Z0-9_.-]*)(\^(\d*))?$/;

/** Parses one spec; problems are `Invalid bundle_spec: …` for what fits no form. */
export function parseBundleSpec(text: string): Outcome<BundleSpec> {
  const trimmed = text.trim();
  const slash = trimmed.indexOf('/');
  if (slash < 0) return parseLocal(trimmed);
  const worksheet = parseWorksheetSpec(trimmed.slice(0, slash));
  if (!worksheet.ok) return worksheet;
  const bundle = parseLocal(trimmed.slice(slash + 1).trim());
  return bundle.ok
    ? success({ kind: 'on-worksheet', worksheet: worksheet.value, bundle: bundle.value })
    : bundle;
}

function parseLocal(text: string): Outcome<LocalBundleSpec> {
  if (text === '') return failure('Bundle spec is empty: give a uuid, a name or ^N');
  if (isUuid(text)) return success({ kind: 'uuid', uuid: text });
  if (isUuidPrefix(text)) return success({ kind: 'prefix', prefix: text });
  const match = indexedPattern.exec(text);
  if (match === null) return failure(`Invalid bundle_spec: ${text}`);
  const [, name = '', , digits = ''] = match;
  const index = digits === '' ? 1 : Number(digits);
  if (!Number.isSafeInteger(index) || index < 1) {
    return failure(`Invalid bundle_spec: ${text}: the number after ^ counts from 1, the most recent bundle`);
  }
  return success(
    name === '' ? { kind: 'index', index } : { kind: 'name', name: parseTextMatch(name), index },
  );
}

/** Writes a spec so that parsing it gives the same again. */
export function formatBundleSpec(spec: BundleSpec): string {
  switch (spec.kind) {
    case 'uuid':
      return spec.uuid;
    case 'prefix':
      return spec.prefix;
    case 'name':
      return spec.index === 1 ? formatTextMatch(spec.name) : `${formatTextMatch(spec.name)}^${spec.index}`;
    case 'index':
      return `^${spec.index}`;
    case 'on-worksheet':
      return `${spec.worksheet.kind === 'home' ? '' : formatWorksheetSpec(spec.worksheet)}/${formatBundleSpec(spec.bundle)}`;
  }
}
