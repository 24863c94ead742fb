/**
 * Formats an instant as `YYYY-MM-DD HH:MM:SS`, with `.ffffff` when it has a fraction (bundles.md §4.6).
 * The domain knows no time zone, so the caller says how far its clock is ahead of UTC.
 *
 * @param epochSeconds seconds since 1970-01-01 UTC.
 * @param offsetMinutes minutes east of UTC (the negative of `getTimezoneOffset()`).
 */
export function formatDate(epochSeconds: number, offsetMinutes = 0): string {
  const microseconds = Math.round((epochSeconds + offsetMinutes * 60) * 1e6);
  const wholeSeconds = Math.floor(microseconds / 1e6);
  const fraction = microseconds - wholeSeconds * 1e6;
  const date = new Date(wholeSeconds * 1000);
  if (Number.isNaN(date.getTime())) return String(epochSeconds);
  const text = date
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replace('T', ' ');
  return fraction === 0 ? text : `${text}.${String(fraction).padStart(6, '0')}`;
}
