/** Uploads local files and directories: looked at and hashed first, so that a mistake leaves no bundle behind. */
import { createBundle } from '@sheaf/client';
import { uploadName } from '@sheaf/domain';
import type { HashedTree } from '@sheaf/trees';
import type { Arguments } from '../arguments/arguments.ts';
import type { Context } from '../context.ts';
import { loadEngine, type Engine } from '../load-engine.ts';
import { Progress } from '../progress.ts';
import type { Place } from '../targets/place.ts';
import {
  deliverArchive,
  deliverCompressed,
  deliverFile,
  deliverHashed,
  deliverStream,
  isArchive,
  type Delivery,
} from './deliver.ts';
import type { HashOptions } from './hash-sources.ts';
import type { NewUpload } from './new-upload.ts';
import { readSources, type Sources } from './sources.ts';

export async function uploadLocal(
  given: Arguments,
  context: Context,
  place: Place,
  upload: NewUpload,
): Promise<string> {
  const followLinks = given.has('--follow-symlinks');
  const sources = readSources(given.all('path'), followLinks);
  const ignoreFile = given.text('--ignore');
  if (ignoreFile !== undefined) {
    context.note(`Excluding files and directories specified by ${ignoreFile}.`);
  }
  const engine = await loadEngine();
  const hashed = await hash(engine, sources, {
    exclude: given.words('--exclude-patterns') ?? [],
    ignoreFile,
    followLinks,
    onLeftOut: (path, reason) => context.note(`Left out ${path}: ${reason}.`),
  });
  const metadata = upload.metadata(uploadName(baseNames(sources), { pack: upload.pack }));
  const { uuid } = await createBundle(
    place.client,
    { bundle_type: 'dataset', metadata },
    { worksheet: await place.uuid(), wait_for_upload: true, bundle_store: upload.storeUuid },
  );
  context.note(`Uploading ${filenameOf(sources, given)} (${uuid}) to ${place.client.address}`);
  const progress = new Progress(context, 'Sent ');
  const delivery: Delivery = {
    engine,
    client: place.client,
    uuid,
    progress,
    store: upload.storeName,
    useAzureBlobBeta: upload.useAzureBlobBeta,
  };
  await upload.finish(place.client, uuid, async () => {
    try {
      await deliver(delivery, sources, hashed, given);
    } finally {
      progress.end();
    }
  });
  return uuid;
}

/** Undefined for what is sent without hashing it first. */
function hash(engine: Engine, sources: Sources, options: HashOptions): Promise<HashedTree> | undefined {
  if (sources.kind === 'directory') return engine.hashTree(sources, options);
  return sources.kind === 'several' ? engine.hashSeveral(sources.members, options) : undefined;
}

async function deliver(
  delivery: Delivery,
  sources: Sources,
  hashed: HashedTree | undefined,
  given: Arguments,
): Promise<void> {
  if (hashed !== undefined) return deliverHashed(delivery, hashed);
  if (sources.kind === 'stdin') return deliverStream(delivery, 'stdin', false, process.stdin);
  if (sources.kind !== 'file') return;
  if (isArchive(sources)) return deliverArchive(delivery, sources, !given.has('--pack'));
  if (given.has('--force-compression')) return deliverCompressed(delivery, sources);
  return deliverFile(delivery, sources);
}

function baseNames(sources: Sources): string[] {
  if (sources.kind === 'several') return sources.members.map(({ base }) => base);
  return [sources.kind === 'stdin' ? 'stdin' : sources.base];
}

function filenameOf(sources: Sources, given: Arguments): string {
  switch (sources.kind) {
    case 'stdin':
      return 'stdin';
    case 'several':
      return `${sources.members.length} files and directories`;
    case 'directory':
      return sources.base;
    case 'file':
      return given.has('--force-compression') && !isArchive(sources) ? `${sources.base}.gz` : sources.base;
  }
}
