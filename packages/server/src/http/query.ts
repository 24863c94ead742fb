/* How parameters of a URL are read (rest-api.md §1.4). */
import { SheafError } from '@sheaf/wire';
import type { FastifyRequest } from 'fastify';

export interface Query {
  /** The last occurrence, or undefined where it is absent; an empty value stays empty. */
  text(name: string): string | undefined;
  /** Like `text`; empty and the text `None` count as absent, because that is what a missing value looks like. */
  given(name: string): string | undefined;
  /** All occurrences in order. */
  list(name: string): string[];
  /** @throws SheafError `invalid-request` for anything but an integer */
  flag(name: string, absent: boolean): boolean;
  /** @throws SheafError `invalid-request` for anything but an integer */
  integer(name: string): number | undefined;
  /** The comma-separated `include`. @throws SheafError `invalid-request` naming what is not among the allowed */
  include<Allowed extends string>(allowed: readonly Allowed[]): ReadonlySet<Allowed>;
  has(name: string): boolean;
  names(): string[];
}

export function queryOf(request: FastifyRequest): Query {
  return readQuery(request.query as URLSearchParams);
}

export function readQuery(parameters: URLSearchParams): Query {
  const text = (name: string) => parameters.getAll(name).at(-1);
  const integer = (name: string) => {
    const value = text(name);
    if (value === undefined) return undefined;
    const number = parseInteger(value);
    if (number === undefined) throw new SheafError('invalid-request', `Invalid int '${value}'`);
    return number;
  };
  return {
    text,
    integer,
    given: (name) => {
      const value = text(name);
      return value === undefined || value === '' || value === 'None' ? undefined : value;
    },
    list: (name) => parameters.getAll(name),
    flag: (name, absent) => {
      const value = text(name);
      if (value === undefined) return absent;
      const number = parseInteger(value);
      if (number === undefined) {
        throw new SheafError('invalid-request', `'${name}' parameter must be integer boolean`);
      }
      return number !== 0;
    },
    include: (allowed) => {
      const asked = (text('include') ?? '').split(',').filter((word) => word !== '');
      const isAllowed = (word: string): word is (typeof allowed)[number] =>
        (allowed as readonly string[]).includes(word);
      const unknown = asked.filter((word) => !isAllowed(word));
      if (unknown.length > 0) {
        throw new SheafError('invalid-request', `?include=${unknown.join(',')} not supported`);
      }
      return new Set(asked.filter(isAllowed));
    },
    has: (name) => parameters.has(name),
    names: () => [...new Set(parameters.keys())],
  };
}

function parseInteger(value: string): number | undefined {
  const trimmed = value.trim();
  if (!/^[+-]?\d+$/.test(trimmed)) return undefined;
  const number = Number(trimmed);
  return Number.isSafeInteger(number) ? number : undefined;
}
