import { createBundle, uploadContents, uploadFromUrl } from '@sheaf/client';
import { uploadName } from '@sheaf/domain';
import { isAbsolute, join } from 'node:path';
import type { Arguments } from '../arguments/arguments.ts';
import { worksheetFlag, type Flag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { metadataFlags } from '../metadata-flags.ts';
import { placeOf, type Place } from '../targets/place.ts';
import { newUpload, type NewUpload } from '../upload/new-upload.ts';
import { uploadLocal } from '../upload/upload-local.ts';
import { UsageError } from '../usage-error.ts';

const packingFlags: readonly Flag[] = [
  {
    long: '--contents',
    short: '-c',
    kind: 'text',
    value: 'TEXT',
    help: 'The bundle is a file with this text.',
  },
  {
    long: '--follow-symlinks',
    short: '-L',
    kind: 'switch',
    help: 'Take what links lead to instead of the links.',
  },
  {
    long: '--exclude-patterns',
    short: '-x',
    kind: 'words',
    value: 'PATTERN',
    help: 'Leave out what matches, e.g. *.pyc .git.',
  },
  { long: '--git', short: '-g', kind: 'switch', help: 'The URL is a git repository: clone it.' },
  { long: '--pack', short: '-p', kind: 'switch', help: 'Keep an archive as it is instead of unpacking it.' },
  {
    long: '--force-compression',
    short: '-z',
    kind: 'switch',
    help: 'Compress a file for the way to the server.',
  },
  {
    long: '--ignore',
    short: '-i',
    kind: 'text',
    value: 'NAME',
    help: 'Honour files of this name that list what to leave out, e.g. .gitignore.',
  },
  {
    long: '--link',
    short: '-l',
    kind: 'switch',
    help: 'Copy nothing; the bundle points to the path on the server host.',
  },
  { long: '--use-azure-blob-beta', short: '-a', kind: 'switch', help: 'Handed on to the server.' },
];

export const command: Command = {
  description: [
    'Make a bundle of a file, a directory, several of them, a text or a URL, and print its uuid.',
    'Only what the server does not have yet is sent. Archives (.tar.gz .tgz .tar.bz2 .zip .gz .bz2) are unpacked.',
  ].join('\n'),
  positionals: [
    { name: 'path', count: 'any', help: 'Files, directories, one URL, or - for standard input.' },
  ],
  flags: [
    ...packingFlags,
    worksheetFlag,
    ...metadataFlags('dataset'),
    { long: '--edit', short: '-e', kind: 'switch', help: 'Accepted for older scripts; has no effect.' },
  ],
  examples: [
    ['cl upload corpus/', 'a directory'],
    ['cl upload -c "hello" -n greeting', 'a text'],
    ['cl upload https://example.org/data.tar.gz', 'fetched and unpacked by the server'],
  ],
  async run(given, context) {
    const paths = given.all('path');
    const contents = given.text('--contents');
    if (paths.length === 0 && contents === undefined)
      throw new UsageError('Nothing to upload.', 'Name a path, or a text with -c.');
    if (paths.length > 0 && contents !== undefined)
      throw new UsageError('Give either paths or --contents, not both.');
    const place = placeOf(context, given.text('--worksheet-spec'));
    const upload = await newUpload(given, context, place.client);
    context.print(await uploadWith(given, context, place, upload, contents));
  },
};

function uploadWith(
  given: Arguments,
  context: Context,
  place: Place,
  upload: NewUpload,
  contents: string | undefined,
): Promise<string> {
  if (given.has('--link')) return uploadLink(given, place, upload);
  if (contents !== undefined) return uploadText(place, upload, contents);
  if (given.all('path').some(isUrl)) return uploadUrl(given, place, upload);
  return uploadLocal(given, context, place, upload);
}

function isUrl(path: string): boolean {
  return /^(?:https?|ftp):\/\//.test(path);
}

async function uploadLink(given: Arguments, place: Place, upload: NewUpload): Promise<string> {
  const [path, ...others] = given.all('path');
  if (path === undefined || others.length > 0) throw new UsageError('--link takes exactly one path.');
  const metadata = {
    ...upload.metadata(uploadName([baseName(path)], { pack: upload.pack })),
    link_url: isAbsolute(path) ? path : join(process.cwd(), path),
    link_format: 'raw',
  };
  return create(place, upload, metadata);
}

async function uploadText(place: Place, upload: NewUpload, text: string): Promise<string> {
  const uuid = await create(place, upload, upload.metadata('_'));
  const { storeName: store, useAzureBlobBeta } = upload;
  await upload.finish(place.client, uuid, () =>
    uploadContents(place.client, uuid, text, {
      filename: 'contents',
      unpack: false,
      store,
      useAzureBlobBeta,
    }),
  );
  return uuid;
}

async function uploadUrl(given: Arguments, place: Place, upload: NewUpload): Promise<string> {
  const paths = given.all('path');
  const [url = '', ...others] = paths;
  if (!paths.every(isUrl)) throw new UsageError('Local files cannot be uploaded together with a URL.');
  if (others.length > 0) throw new UsageError('Only one URL can be uploaded at a time.');
  const name = uploadName([url.slice(url.lastIndexOf('/') + 1)], { pack: upload.pack });
  const uuid = await create(place, upload, { ...upload.metadata(name), source_url: url });
  const { storeName: store, useAzureBlobBeta } = upload;
  await upload.finish(place.client, uuid, () =>
    uploadFromUrl(place.client, uuid, url, { git: given.has('--git'), store, useAzureBlobBeta }),
  );
  return uuid;
}

async function create(
  place: Place,
  upload: NewUpload,
  metadata: ReturnType<NewUpload['metadata']>,
): Promise<string> {
  const options = { worksheet: await place.uuid(), bundle_store: upload.storeUuid };
  return (await createBundle(place.client, { bundle_type: 'dataset', metadata }, options)).uuid;
}

function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}
