import { isName, isUuid, isUuidPrefix, type Uuid } from '../ids.ts';
import { failure, success, type Outcome } from '../outcome.ts';

/** A worksheet spec as the server reads it (rest-api.md §9.3). */
export type WorksheetSpec =
  | { kind: 'home' }
  | { kind: 'uuid'; uuid: Uuid }
  | { kind: 'prefix'; prefix: string }
  | { kind: 'name'; name: string };

/** Parses a spec; empty and `/` are the home worksheet of whoever asks. */
export function parseWorksheetSpec(text: string): Outcome<WorksheetSpec> {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === '/') return success({ kind: 'home' });
  if (isUuid(trimmed)) return success({ kind: 'uuid', uuid: trimmed });
  if (isUuidPrefix(trimmed)) return success({ kind: 'prefix', prefix: trimmed });
  if (isName(trimmed)) return success({ kind: 'name', name: trimmed });
  return failure(`Invalid worksheet spec: ${trimmed}: give a uuid, a name or / for your home worksheet`);
}

/** Writes a spec so that parsing it gives the same again. */
export function formatWorksheetSpec(spec: WorksheetSpec): string {
  switch (spec.kind) {
    case 'home':
      return '/';
    case 'uuid':
      return spec.uuid;
    case 'prefix':
      return spec.prefix;
    case 'name':
      return spec.name;
  }
}

/** The name of a user's home worksheet. */
export function homeWorksheetName(userName: string): string {
  return `home-${userName}`;
}

/**
 * A worksheet as typed on the command line (cli.md §4.3): perhaps on another instance (an alias or an address), and
 * perhaps the current one, which only the client knows.
 */
export interface WorksheetReference {
  instance: string | undefined;
  worksheet: { kind: 'current' } | WorksheetSpec;
}

export function parseWorksheetReference(text: string): Outcome<WorksheetReference> {
  const [first = '', second] = text.split('::');
  if (second === undefined && (first === '' || first === '.')) {
    return success({ instance: undefined, worksheet: { kind: 'current' } });
  }
  const worksheet = parseWorksheetSpec(second ?? first);
  if (!worksheet.ok) return worksheet;
  return success({ instance: second === undefined ? undefined : first, worksheet: worksheet.value });
}
