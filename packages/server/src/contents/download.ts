/* Opens what a client wants to read: a file, a part of one, or a directory as an archive (rest-api.md §19). */
import { lstat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip, createGzip, gzip } from 'node:zlib';
import { assertNever, summarizeFile } from '@sheaf/domain';
import { exportTarGz, leftOutOfDownloads, readFile } from '@sheaf/trees';
import { SheafError, type ReadArguments } from '@sheaf/wire';
import { metadataOf, numberOf } from '../runs/metadata.ts';
import { ask, bytesOf } from '../workers/questions.ts';
import { collect } from './collect.ts';
import { contentTypeOf } from './content-type.ts';
import { contentDisposition } from './disposition.ts';
import { packLinkedDirectory, readLinkedFile } from './linked.ts';
import type { Located, LocateContext } from './locate.ts';
import type { RequestedPart, SummaryRequest } from './part.ts';

export interface Download {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable | Buffer;
}

/** Parts up to this many bytes are sent with their length; longer ones as they come. */
const gatheredPart = 8 * 1024 * 1024;
/** Text that comes back from summaries is bounded by what was asked for, or a worker's bug. */
const longestSummary = 64 * 1024 * 1024;
const compress = promisify(gzip);

/** Files are gzipped once more whatever they are, as clients expect; fast rather than small. */
const level = 1;

export async function openDownload(
  context: LocateContext,
  located: Located,
  part: RequestedPart,
  gzipped: boolean,
): Promise<Download> {
  const { info } = located;
  if (info.type === 'directory') return await openDirectory(context, located, part);
  if (info.type !== 'file') {
    throw new SheafError('permission-denied', `${info.name} is neither a file nor a directory.`, {
      next: 'Read what it links to.',
    });
  }
  const headers = { ...commonHeaders(located, 'file'), 'content-encoding': gzipped ? 'gzip' : 'identity' };
  if (part.kind === 'whole') {
    const whole =
      located.kind === 'worker'
        ? await fromWorker(context, located, part, gzipped)
        : readStored(context, located);
    return { headers, body: gzipped && located.kind !== 'worker' ? gzipStream(whole) : whole };
  }
  const body = await openPart(context, located, part, gzipped);
  return Buffer.isBuffer(body)
    ? { headers: { ...headers, 'content-length': String(body.length) }, body }
    : { headers, body };
}

/** Headers of an answer that needs no body. */
export function commonHeaders(located: Located, kind: 'file' | 'directory'): Record<string, string> {
  const name = located.path === '' ? located.bundle.name : (located.path.split('/').at(-1) ?? '');
  const size =
    kind === 'file'
      ? located.info.size
      : located.path === ''
        ? numberOf(metadataOf(located.bundle)['data_size'])
        : 0;
  return {
    'content-type': kind === 'file' ? contentTypeOf(name) : 'application/gzip',
    'content-disposition':
      kind === 'file'
        ? contentDisposition('inline', name)
        : contentDisposition('attachment', `${name}.tar.gz`),
    'access-control-allow-origin': '*',
    'target-type': kind,
    'x-codalab-target-size': String(size),
    // Files come from users: a page among them must not act in the name of whoever looks at it.
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox allow-scripts',
  };
}

async function openDirectory(
  context: LocateContext,
  located: Located,
  part: RequestedPart,
): Promise<Download> {
  if (part.kind !== 'whole') {
    throw new SheafError('invalid-request', 'A directory has neither ranges nor lines: read a file in it.');
  }
  const headers = { ...commonHeaders(located, 'directory'), 'content-encoding': 'identity' };
  return { headers, body: await archiveOf(context, located) };
}

async function archiveOf(context: LocateContext, located: Located): Promise<Readable> {
  switch (located.kind) {
    case 'stored':
      if (located.entry.kind !== 'tree') throw new Error('Only a tree is a directory.');
      return exportTarGz(context.services.store, located.entry, {
        skip: leftOutOfDownloads,
        signal: context.signal,
      });
    case 'linked':
      return packLinkedDirectory(located.place);
    case 'worker':
      return await askWorker(context, located, { type: 'stream_directory' });
    default:
      return assertNever(located);
  }
}

async function openPart(
  context: LocateContext,
  located: Located,
  part: Exclude<RequestedPart, { kind: 'whole' }>,
  gzipped: boolean,
): Promise<Readable | Buffer> {
  if (located.kind === 'worker') {
    const stream = await fromWorker(context, located, part, gzipped);
    const long = part.kind === 'range' && part.length > gatheredPart;
    return long ? stream : await collect(stream, longestSummary);
  }
  if (part.kind === 'summary') {
    const bytes = Buffer.from(await summaryOf(context, located, part));
    return gzipped ? await compress(bytes, { level }) : bytes;
  }
  const length = Math.max(0, Math.min(part.length, located.info.size - part.offset));
  const stream = readStored(context, located, { offset: part.offset, length });
  if (length > gatheredPart) return gzipped ? gzipStream(stream) : stream;
  const bytes = await collect(stream, gatheredPart);
  return gzipped ? await compress(bytes, { level }) : bytes;
}

function readStored(
  { services }: LocateContext,
  located: Exclude<Located, { kind: 'worker' }>,
  range: { offset?: number; length?: number } = {},
): Readable {
  if (located.kind === 'linked') return readLinkedFile(located.place, range);
  return readFile(services.store, located.entry, range, located.path);
}

/** A destroyed gzip stream tells its reader that the source has failed: it never ends as if it were complete. */
function gzipStream(source: Readable): Readable {
  return pipeline(source, createGzip({ level }), () => undefined);
}

async function summaryOf(
  context: LocateContext,
  located: Exclude<Located, { kind: 'worker' }>,
  { head, tail, maxLineLength, truncationText }: SummaryRequest,
): Promise<string> {
  const size = located.kind === 'linked' ? (await lstat(located.place)).size : located.info.size;
  return await summarizeFile(
    {
      size,
      read: async (offset, length) =>
        await collect(readStored(context, located, { offset, length }), longestSummary),
    },
    { head, tail, maxLineLength, truncationText },
  );
}

/** Workers send everything gzipped; it is passed on as it is to clients who take that. */
async function fromWorker(
  context: LocateContext,
  located: Extract<Located, { kind: 'worker' }>,
  part: RequestedPart,
  gzipped: boolean,
): Promise<Readable> {
  const stream = await askWorker(context, located, readArguments(part));
  return gzipped ? stream : pipeline(stream, createGunzip(), () => undefined);
}

function readArguments(part: RequestedPart): ReadArguments {
  switch (part.kind) {
    case 'whole':
      return { type: 'stream_file' };
    case 'range':
      return { type: 'read_file_section', offset: part.offset, length: part.length };
    case 'summary':
      return {
        type: 'summarize_file',
        num_head_lines: part.head,
        num_tail_lines: part.tail,
        max_line_length: part.maxLineLength,
        truncation_text: part.truncationText,
      };
    default:
      return assertNever(part);
  }
}

async function askWorker(
  { services, execution, signal }: LocateContext,
  located: Extract<Located, { kind: 'worker' }>,
  request: ReadArguments,
): Promise<Readable> {
  const question = { kind: 'read', path: located.path, arguments: request } as const;
  const answer = await ask({ services, mailboxes: execution.mailboxes }, located.holder, question, signal);
  const stream = bytesOf(answer);
  if (stream === undefined)
    throw new SheafError('worker-unreachable', 'Unable to reach worker. It sent no data.');
  signal.addEventListener('abort', () => stream.destroy(), { once: true });
  return stream;
}
