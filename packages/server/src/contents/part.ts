/** Which part of a file a request asks for (rest-api.md §19.1, §19.3). */
import { SheafError } from '@sheaf/wire';
import type { Query } from '../http/query.ts';

export interface SummaryRequest {
  readonly head: number;
  readonly tail: number;
  readonly maxLineLength: number;
  readonly truncationText: string;
}

export type RequestedPart =
  | { readonly kind: 'whole' }
  | { readonly kind: 'range'; readonly offset: number; readonly length: number }
  | ({ readonly kind: 'summary' } & SummaryRequest);

const defaultLineLength = 128;

/** @throws SheafError `invalid-request` */
export function requestedPart(query: Query, range: string | undefined): RequestedPart {
  const head = query.integer('head') ?? 0;
  const tail = query.integer('tail') ?? 0;
  const maxLineLength = query.integer('max_line_length') ?? defaultLineLength;
  if (head < 0 || tail < 0) throw new SheafError('invalid-request', 'head and tail must not be negative.');
  if (maxLineLength < 1) throw new SheafError('invalid-request', 'max_line_length must be positive.');
  const summarised = head > 0 || tail > 0;
  if (range === undefined) {
    if (!summarised) return { kind: 'whole' };
    return {
      kind: 'summary',
      head,
      tail,
      maxLineLength,
      truncationText: query.text('truncation_text') ?? '',
    };
  }
  if (summarised) throw new SheafError('invalid-request', 'Head and tail cannot be combined with a range.');
  return { kind: 'range', ...byteRange(range) };
}

/** Both ends are named, the second one inclusive; the answer is a plain 200 (rest-api.md §19.3). */
function byteRange(header: string): { offset: number; length: number } {
  const match = /^bytes=(\d+)-(\d+)$/.exec(header.trim());
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) {
    throw new SheafError('invalid-request', "Range must be 'bytes=START-END'.");
  }
  return { offset: first, length: Math.max(0, last - first + 1) };
}

/** Whether the client undoes gzip: it lists it, and not with a weight of zero. */
export function acceptsGzip(header: string | string[] | undefined): boolean {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text.split(',').some((offer) => {
    const [coding, ...parameters] = offer.split(';').map((part) => part.trim().toLowerCase());
    return coding === 'gzip' && !parameters.some((parameter) => parameter === 'q=0');
  });
}
