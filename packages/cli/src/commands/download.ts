import { ConnectionError, fetchBundle } from '@sheaf/client';
import type { DirectoryStore } from '@sheaf/trees';
import { existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { fetchInto, findDownload } from '../download/fetch-target.ts';
import { loadEngine, type Engine } from '../load-engine.ts';
import { Progress } from '../progress.ts';
import { bundleText } from '../render/names.ts';
import { placeOf } from '../targets/place.ts';
import { findTarget } from '../targets/target.ts';
import { UsageError } from '../usage-error.ts';

export const command: Command = {
  description: [
    'Copy a bundle, or a file or directory in it, to this machine. Bytes are verified as they arrive; after an interruption',
    'the same command goes on where it was.',
  ].join('\n'),
  positionals: [{ name: 'target_spec', count: 'one', help: 'The bundle, or a path in it: <bundle>/<path>.' }],
  flags: [
    {
      long: '--output-path',
      short: '-o',
      kind: 'text',
      value: 'PATH',
      help: 'Where to put it; its own name in this directory unless told.',
    },
    { long: '--force', short: '-f', kind: 'switch', help: 'Replace what is there.' },
    worksheetFlag,
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const target = await findTarget(context, given.one('target_spec'), place);
    const bundle = target.bundle ?? (await fetchBundle(target.client, target.uuid));
    const name = typeof bundle.metadata['name'] === 'string' ? bundle.metadata['name'] : '';
    const destination = resolve(
      given.text('--output-path') ?? (basename(target.subpath) || name || 'untitled'),
    );
    const isThere = lstatSync(destination, { throwIfNoEntry: false }) !== undefined;
    if (isThere && !given.has('--force')) {
      context.note(`Local file/directory '${destination}' already exists.`);
      context.note('With -f it is replaced; with -o another place is chosen.');
      return 1;
    }
    const download = await findDownload(target.client, target);
    if (download.kind === 'link') {
      throw new UsageError(`${given.one('target_spec')} is a symbolic link; links are not downloaded.`);
    }
    if (!existsSync(dirname(destination)))
      throw new UsageError(`There is no directory ${dirname(destination)}.`);
    const path = target.subpath === '' ? '' : `/${target.subpath}`;
    context.print(`Downloading ${bundleText(name, target.uuid)}${path} => ${destination}`);
    const parts = partsDirectory(destination, target.uuid);
    const progress = new Progress(context, 'Received ');
    try {
      const engine = await loadEngine();
      await withParts(engine, context, parts, async (store) => {
        const root = await fetchInto(engine, store, target.client, download, progress);
        if (isThere) rmSync(destination, { recursive: true, force: true });
        await engine.placeContents(store, root, destination);
      });
    } finally {
      progress.end();
    }
    return 0;
  },
};

/** What has arrived is kept for the next try where the connection broke; in all other cases it goes. */
async function withParts(
  engine: Engine,
  context: Context,
  parts: string,
  work: (store: DirectoryStore) => Promise<void>,
): Promise<void> {
  mkdirSync(parts, { recursive: true, mode: 0o700 });
  const store = await engine.DirectoryStore.open(parts);
  let keep = false;
  try {
    await work(store);
  } catch (error) {
    keep = error instanceof ConnectionError;
    if (keep) context.note('Run the same command again: it goes on where this one stopped.');
    throw error;
  } finally {
    await store.close();
    if (!keep) rmSync(parts, { recursive: true, force: true });
  }
}

/** Beside the destination, so that files are moved and not copied; found again by the next try for the same bundle. */
function partsDirectory(destination: string, uuid: string): string {
  return join(dirname(destination), `.${basename(destination)}.${uuid.slice(2, 10)}.download`);
}
