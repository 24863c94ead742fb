/** Brings contents into a store beside the destination: resumable, and verified by digest as they arrive. */
import { readContents, targetInfo, transferPeer, type ResolvedTarget, type RestClient } from '@sheaf/client';
import type { DirectoryStore, Entry } from '@sheaf/trees';
import { SheafError, type WireEntry } from '@sheaf/wire';
import type { Engine } from '../load-engine.ts';
import type { Progress } from '../progress.ts';
import { resolvedOf } from '../render/contents.ts';

/** What there is to download, before any of it travels. */
export type Download =
  /** Stored contents: known by digest. */
  | { readonly kind: 'entry'; readonly entry: WireEntry; readonly source: ResolvedTarget }
  /** What a run is still writing, or a server of other make: a stream. */
  | { readonly kind: 'stream'; readonly isDirectory: boolean; readonly source: ResolvedTarget }
  | { readonly kind: 'link' };

/** @throws SheafError `not-found` */
export async function findDownload(client: RestClient, target: ResolvedTarget): Promise<Download> {
  const stored = await storedEntry(client, target);
  if (stored !== undefined) return stored;
  const info = await targetInfo(client, target, 0);
  if (info.type === 'link') return { kind: 'link' };
  return { kind: 'stream', isDirectory: info.type === 'directory', source: resolvedOf(info, target) };
}

async function storedEntry(client: RestClient, target: ResolvedTarget): Promise<Download | undefined> {
  try {
    const { entry, resolved_target: at } = await transferPeer(client, target.uuid).entry(target.subpath);
    if (entry.kind === 'link') return { kind: 'link' };
    return { kind: 'entry', entry, source: { uuid: at.bundle_uuid, subpath: at.subpath } };
  } catch (error) {
    // Nothing stored (yet) is no reason to give up: a run may be writing it.
    if (error instanceof SheafError && error.code === 'not-found') return undefined;
    throw error;
  }
}

/** @returns what the store holds then. */
export async function fetchInto(
  engine: Engine,
  store: DirectoryStore,
  client: RestClient,
  download: Exclude<Download, { kind: 'link' }>,
  progress: Progress,
): Promise<Entry> {
  if (download.kind === 'entry') {
    await engine.fetchContents(download.entry, transferPeer(client, download.source.uuid), store, {
      onProgress: ({ bytes, totalBytes }) => progress.at(bytes, totalBytes),
    });
    return download.entry;
  }
  const { body } = await readContents(client, download.source);
  const source = counted(body, progress);
  return download.isDirectory
    ? engine.importArchive(store, source, 'tar.gz')
    : engine.importFile(store, source);
}

async function* counted(source: AsyncIterable<Uint8Array>, progress: Progress): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    progress.more(chunk.byteLength);
    yield chunk;
  }
}
