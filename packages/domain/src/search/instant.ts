import { failure, success, type Outcome } from '../outcome.ts';

const pattern =
  /^(\d{4})-?(\d{2})-?(\d{2})(?:[T ](\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?)?)?(?:(Z)|([+-])(\d{2})(?::?(\d{2}))?)?$/i;

/**
 * Reads an ISO 8601 date, or date and time, as epoch seconds; fractions of a second are cut off (rest-api.md §12.2).
 *
 * @param offsetMinutes the zone of texts that name none, minutes east of UTC.
 */
export function parseInstant(text: string, offsetMinutes: number): Outcome<number> {
  const match = pattern.exec(text.trim());
  const part = (at: number): number => Number(match?.[at] ?? 0);
  if (match === null) return invalid(text);
  const local = Date.UTC(part(1), part(2) - 1, part(3), part(4), part(5), part(6));
  const date = new Date(local);
  const exists = date.getUTCMonth() === part(2) - 1 && date.getUTCDate() === part(3);
  if (!exists || part(4) > 23 || part(5) > 59 || part(6) > 59 || part(9) > 23 || part(10) > 59)
    return invalid(text);
  const written = (match[8] === '-' ? -1 : 1) * (part(9) * 60 + part(10));
  const zone = match[7] !== undefined ? 0 : match[8] === undefined ? offsetMinutes : written;
  return success(local / 1000 - zone * 60);
}

function invalid(text: string): Outcome<number> {
  return failure(`${text} is no date: expected e.g. 2024-05-31 or 2024-05-31T12:00:00+02:00`);
}
