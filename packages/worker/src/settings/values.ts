/** Reads the values of flags: sizes, numbers, names. Each refuses in one sentence that says what to write instead. */
import { serverAddress } from '@sheaf/client';
import { parseSize } from '@sheaf/domain';
import type { FlagName } from './flags.ts';
import { StartProblem } from './settings.ts';

const gibibyte = 1024 ** 3;
/** More than any machine has, and still exact as a number of bytes. */
const mostGigabytes = 1024 ** 2;
const largestNumber = 999_999_999;

/** Bytes; 0 where `orNothing` allows it. @throws StartProblem */
export function sizeOf(name: FlagName, text: string, options: { orNothing: boolean }): number {
  const size = parseSize(text);
  if (!size.ok) throw new StartProblem(`--${name} ${text}: write a size such as 500m or 2g.`);
  if (size.value > 0 || options.orNothing) return size.value;
  throw new StartProblem(`--${name} ${text}: write a size above 0, such as 500m or 2g.`);
}

/** From 0 to 999999999. @throws StartProblem */
export function wholeOf(name: FlagName, text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number <= largestNumber) return number;
  throw new StartProblem(`--${name} ${text}: write a whole number from 0 to ${largestNumber}.`);
}

/** From 1 to 999999999. @throws StartProblem */
export function positiveOf(name: FlagName, text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= 1 && number <= largestNumber) return number;
  throw new StartProblem(`--${name} ${text}: write a whole number from 1 to ${largestNumber}.`);
}

/** Bytes. @throws StartProblem */
export function gigabytesOf(name: FlagName, text: string): number {
  const number = positiveOf(name, text);
  if (number <= mostGigabytes) return number * gibibyte;
  throw new StartProblem(`--${name} ${text}: no machine has as much; write a number of gigabytes.`);
}

/** Base address without `/rest` and without a slash at the end. @throws StartProblem */
export function serverOf(text: string): string {
  const address = serverAddress(text);
  if (address !== undefined) return address;
  throw new StartProblem(`"${text}" is not the address of a server; it looks like http://localhost:2900.`);
}

/** @throws StartProblem */
export function idOf(text: string): string {
  // The id is a part of addresses and paths, where one or two dots are none.
  const dots = text === '.' || text === '..';
  if (text !== '' && text.length <= 127 && !dots && !/[/\s\p{Cc}]/u.test(text)) return text;
  throw new StartProblem(`"${text}" cannot be an --id: 1 to 127 characters, without slashes and blanks.`);
}

/** @throws StartProblem */
export function tagOf(text: string): string {
  if (/^[A-Za-z0-9-]{1,127}$/.test(text)) return text;
  throw new StartProblem(`"${text}" cannot be a --tag: use letters, digits and hyphens, at most 127.`);
}

/** As engines allow names, short enough for what is added to it. @throws StartProblem */
export function networkPrefixOf(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,119}$/.test(text)) return text;
  throw new StartProblem(
    `"${text}" cannot be a --network-prefix: use letters, digits and _ . - behind a letter or digit.`,
  );
}

/** A path, a group's name: anything but nothing. @throws StartProblem */
export function textOf(name: FlagName, text: string): string {
  if (text !== '') return text;
  throw new StartProblem(`--${name} needs a value.`);
}
