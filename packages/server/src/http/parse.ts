import { SheafError } from '@sheaf/wire';
import type { z } from 'zod';

/**
 * Reads a request body by a schema.
 * @throws SheafError `invalid-request`, one line for each problem (rest-api.md §2.5)
 */
export function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  if (body === undefined || body === null) {
    throw new SheafError('invalid-request', 'A JSON document is expected in the request body.');
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => {
    const place = issue.path.length === 0 ? 'The document' : issue.path.map(String).join('.');
    return `${place}: ${issue.message}`;
  });
  throw new SheafError('invalid-request', lines.join('\n'));
}
