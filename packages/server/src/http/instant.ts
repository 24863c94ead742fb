/* Points in time as they cross the wire (rest-api.md §2.4). */

/** `2024-03-01T12:30:00+00:00`, with a fraction where there is one. */
export function isoInstant(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/(\.000)?Z$/, '+00:00');
}

/** The date form of user resources, in UTC: `Tue Jan  2 03:04:05 2024`. */
export function asctime(milliseconds: number): string {
  const date = new Date(milliseconds);
  const [weekday, day, month, year, time] = date.toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}

const isoForm = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?$/i;

/** Milliseconds of any ISO 8601 date or date and time; without an offset it is UTC. Undefined where it is none. */
export function parseIsoInstant(text: string): number | undefined {
  const match = isoForm.exec(text.trim());
  if (match === null) return undefined;
  const spelled = text
    .trim()
    .replace(' ', 'T')
    .replace(/(\.\d{3})\d+/, '$1')
    .toUpperCase();
  const withTime = spelled.includes('T') ? spelled : `${spelled.slice(0, 10)}T00:00${spelled.slice(10)}`;
  const value = Date.parse(match[1] === undefined ? `${withTime}Z` : withTime);
  return Number.isNaN(value) ? undefined : value;
}

const asctimeForm = /^\w{3} (\w{3}) {1,2}(\d{1,2}) (\d{2}:\d{2}:\d{2}) (\d{4})$/;

/** Milliseconds of a date of a user resource, or of any ISO 8601 one. */
export function parseUserDate(text: string): number | undefined {
  const match = asctimeForm.exec(text.trim());
  if (match === null) return parseIsoInstant(text);
  const value = Date.parse(`${match[2]} ${match[1]} ${match[4]} ${match[3]} GMT`);
  return Number.isNaN(value) ? undefined : value;
}
