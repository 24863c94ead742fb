/** Reads the values of flags. Each refuses in one sentence that says what to write instead. */
import { serverAddress } from '@sheaf/client';
import { parseSize } from '@sheaf/domain';
import type { CommandLine } from './command-line.ts';
import { StartProblem } from './start-problem.ts';

const largestNumber = 999_999_999;

/** From `least` to 999999999; null where the flag is not given. @throws StartProblem */
export function wholeOf(line: CommandLine, name: string, least = 0): number | null {
  const text = line.value(name);
  if (text === undefined) return null;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= largestNumber) return number;
  throw new StartProblem(`--${name} ${text}: write a whole number from ${least} to ${largestNumber}.`);
}

/** Seconds, fractions allowed, from `least`. @throws StartProblem */
export function secondsOf(line: CommandLine, name: string, least = 0): number | null {
  const text = line.value(name);
  if (text === undefined) return null;
  const number = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= largestNumber) return number;
  const from = least === 0 ? '' : `, at least ${least}`;
  throw new StartProblem(`--${name} ${text}: write a number of seconds${from}.`);
}

/** A size such as `10g`, as it was written. @throws StartProblem */
export function sizeTextOf(line: CommandLine, name: string): string | null {
  const text = line.value(name);
  if (text === undefined) return null;
  if (parseSize(text).ok) return text;
  throw new StartProblem(`--${name} ${text}: write a size such as 500m or 2g.`);
}

/** @throws StartProblem */
export function tagOf(line: CommandLine, name: string): string | null {
  const text = line.value(name);
  if (text === undefined) return null;
  if (/^[A-Za-z0-9-]{1,127}$/.test(text)) return text;
  throw new StartProblem(`"${text}" cannot be a --${name}: use letters, digits and hyphens, at most 127.`);
}

/** Anything but nothing. @throws StartProblem */
export function textOf(line: CommandLine, name: string): string | null {
  const text = line.value(name);
  if (text === '') throw new StartProblem(`--${name} needs a value.`);
  return text ?? null;
}

/** Like `textOf`, for a flag that has a default or is required. @throws StartProblem */
export function neededTextOf(line: CommandLine, name: string): string {
  const text = textOf(line, name);
  if (text === null) throw new StartProblem(`--${name} needs a value.`);
  return text;
}

/** Base address without `/rest` and without a slash at the end. @throws StartProblem */
export function serverOf(text: string): string {
  const address = serverAddress(text);
  if (address !== undefined) return address;
  throw new StartProblem(`"${text}" is not the address of a server; it looks like http://localhost:2900.`);
}
