import { isObject, type GenpathValue } from './value.ts';
import { parseYaml } from './yaml/blocks.ts';

/** Lines of a file that are looked at for its value (bundles.md §19.4). */
export const fileValueLines = 10_000;

/**
 * The value a text file stands for (bundles.md §19.4): a map if every line has a tab, else JSON, else YAML, else the text. What
 * JSON cannot carry (NaN, dates) stays text.
 */
export function parseFileValue(text: string): GenpathValue {
  if (text === '') return '';
  for (const read of [tabbedValue, jsonValue, parseYaml]) {
    const value = read(text);
    if (value !== undefined) return value;
  }
  return text;
}

/** Walks into a value by member names and list positions; null where the way ends (bundles.md §19.4). */
export function descend(value: GenpathValue, keys: readonly string[]): GenpathValue {
  let current = value;
  for (const key of keys) {
    if (Array.isArray(current)) current = (/^\d+$/.test(key) ? current[Number(key)] : undefined) ?? null;
    else if (isObject(current)) current = (Object.hasOwn(current, key) ? current[key] : undefined) ?? null;
    else return null;
  }
  return current;
}

function tabbedValue(text: string): GenpathValue | undefined {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (!lines.every((line) => line.includes('\t'))) return undefined;
  return Object.fromEntries(
    lines.map((line) => {
      const trimmed = line.trim();
      const tab = trimmed.indexOf('\t');
      return tab < 0 ? [trimmed, ''] : [trimmed.slice(0, tab), trimmed.slice(tab + 1)];
    }),
  );
}

function jsonValue(text: string): GenpathValue | undefined {
  try {
    return JSON.parse(text) as GenpathValue;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
