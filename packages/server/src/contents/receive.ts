/* Takes contents in: a body, a URL or a repository becomes an entry in the store; nothing is ever held in memory whole. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  archiveKindOf,
  importArchive,
  importDirectory,
  importFile,
  LimitExceededError,
  type Entry,
} from '@sheaf/trees';
import { storageProblem } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { Readable } from 'node:stream';
import type { Services } from '../services.ts';
import { fetchUrl } from './fetch-url.ts';
import { cloneRepository } from './git-clone.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export type UploadSource =
  | { readonly kind: 'body'; readonly filename: string; readonly stream: Readable }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'git'; readonly url: string };

export interface ReceiveOptions {
  readonly unpack: boolean;
  /** Bytes the owner may still store. */
  readonly room: number;
  readonly signal: AbortSignal;
}

/** @returns the durable entry. @throws SheafError and errors of the contents package where the sender is to blame. */
export async function receiveContents(
  services: Services,
  source: UploadSource,
  options: ReceiveOptions,
): Promise<Entry> {
  const entry = await take(services, source, options);
  await services.store.durable();
  return entry;
}

async function take(services: Services, source: UploadSource, options: ReceiveOptions): Promise<Entry> {
  switch (source.kind) {
    case 'body':
      return await importStream(services, source.stream, source.filename, options);
    case 'url': {
      const fetched = await fetchUrl(source.url, {
        allowPrivate: services.settings.fetchPrivateAddresses,
        signal: options.signal,
      });
      return await importStream(services, fetched.body, fetched.filename, options);
    }
    case 'git':
      return await importRepository(services, source.url, options);
    default:
      return source satisfies never;
  }
}

async function importStream(
  { store }: Services,
  stream: Readable,
  filename: string,
  { unpack, room, signal }: ReceiveOptions,
): Promise<Entry> {
  const kind = unpack ? archiveKindOf(filename) : undefined;
  const limits = { bytes: Math.max(0, room) };
  try {
    return kind === undefined
      ? await importFile(store, stream, { limits, signal })
      : await importArchive(store, stream, kind, { limits, signal });
  } catch (error) {
    if (!(error instanceof LimitExceededError) || error.limit !== 'bytes') throw error;
    const problem = storageProblem(room + 1, { diskQuota: Math.max(0, room), diskUsedWithout: 0 });
    throw new SheafError('quota-exceeded', problem ?? error.message, { cause: error });
  }
}

async function importRepository(services: Services, url: string, { signal }: ReceiveOptions): Promise<Entry> {
  const directory = join(temporaryDirectory(services.settings), `clone-${services.ids.secret(24)}`);
  try {
    await cloneRepository(url, directory, { allowPrivate: services.settings.fetchPrivateAddresses, signal });
    return await importDirectory(services.store, directory, { takeOver: true, signal });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
