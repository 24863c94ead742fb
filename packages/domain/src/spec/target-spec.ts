import { failure, success, type Outcome } from '../outcome.ts';

/**
 * A place inside a bundle as typed on the command line, taken apart but not resolved (cli.md §4.6, bundles.md §2.5).
 * Undefined means the part was not written, which is not the same as empty.
 */
export interface TargetSpec {
  instance: string | undefined;
  /** A worksheet spec; empty means home. */
  worksheet: string | undefined;
  bundle: string;
  subpath: string | undefined;
}

/** A target with the place it gets in a run or make; the key is undefined when none was written (cli.md §4.7). */
export interface KeyedTarget {
  key: string | undefined;
  target: TargetSpec;
}

/** `[<instance>::][<worksheet>//]<bundle>[/<subpath>]`; each part is split off at its leftmost separator. */
export function parseTarget(text: string): Outcome<TargetSpec> {
  if (text === '') return failure('Bundle spec is missing');
  const [instance, afterInstance] = splitOff(text, '::');
  const [worksheet, place] = splitOff(afterInstance, '//');
  const slash = place.indexOf('/', 1);
  return success({
    instance,
    worksheet,
    bundle: slash < 0 ? place : place.slice(0, slash),
    subpath: slash < 0 ? undefined : place.slice(slash + 1),
  });
}

/** A separator with nothing behind it is none: a bundle needs at least one character. */
function splitOff(text: string, separator: string): [string | undefined, string] {
  const at = text.indexOf(separator);
  const rest = at < 0 ? '' : text.slice(at + separator.length);
  return rest === '' ? [undefined, text] : [text.slice(0, at), rest];
}

export function formatTarget(target: TargetSpec): string {
  const instance = target.instance === undefined ? '' : `${target.instance}::`;
  const worksheet = target.worksheet === undefined ? '' : `${target.worksheet}//`;
  const subpath = target.subpath === undefined ? '' : `/${target.subpath}`;
  return `${instance}${worksheet}${target.bundle}${subpath}`;
}

/** Splits `<key>:<target>`: the first colon ends a key unless another colon follows it. */
export function splitKey(text: string): { key: string | undefined; target: string } {
  const colon = text.indexOf(':');
  if (colon < 0 || text[colon + 1] === ':') return { key: undefined, target: text };
  return { key: text.slice(0, colon), target: text.slice(colon + 1) };
}

export function parseKeyedTarget(text: string): Outcome<KeyedTarget> {
  const { key, target } = splitKey(text);
  if (target === '') {
    return failure(`'${text}' names no bundle: the form is [<key>:][<worksheet>//]<bundle>[/<subpath>]`);
  }
  const parsed = parseTarget(target);
  return parsed.ok ? success({ key, target: parsed.value }) : parsed;
}
