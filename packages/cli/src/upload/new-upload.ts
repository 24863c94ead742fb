/** What all ways of uploading have in common: metadata, the store, and an end of the bundle whatever happens. */
import type { RestClient } from '@sheaf/client';
import { nameOfContents, type MetadataValue } from '@sheaf/domain';
import type { Arguments } from '../arguments/arguments.ts';
import type { Context } from '../context.ts';
import { metadataOf } from '../metadata-flags.ts';
import { findStore } from '../targets/bundle-store.ts';

export interface NewUpload {
  readonly pack: boolean;
  readonly useAzureBlobBeta: boolean;
  readonly storeName: string;
  readonly storeUuid: string | undefined;
  /** @param defaultName used where the user gave none. */
  metadata(defaultName: string): Record<string, MetadataValue>;
  /** Delivers contents; after a failure or Ctrl-C the bundle does not wait for them for ever. */
  finish(client: RestClient, uuid: string, deliver: () => Promise<void>): Promise<void>;
}

/** @throws UsageError where there is no store of the name given, before anything is created. */
export async function newUpload(given: Arguments, context: Context, client: RestClient): Promise<NewUpload> {
  const pack = given.has('--pack');
  const storeName = given.text('--store') ?? '';
  return {
    pack,
    useAzureBlobBeta: given.has('--use-azure-blob-beta'),
    storeName,
    storeUuid: storeName === '' ? undefined : await findStore(client, storeName),
    metadata(defaultName) {
      const metadata = metadataOf('dataset', given, defaultName);
      const { name } = metadata;
      // Also a name that the user gave loses the ending of an archive that is unpacked.
      return { ...metadata, name: typeof name === 'string' ? nameOfContents(name, { pack }) : defaultName };
    },
    async finish(bundleClient, uuid, deliver) {
      const giveUp = (why: string) => endUpload(bundleClient, uuid, why);
      try {
        await context.interrupts.during(() => giveUp('Upload interrupted.'), deliver);
      } catch (error) {
        await giveUp(error instanceof Error ? error.message : String(error)).catch((second: unknown) => {
          context.note(`The bundle ${uuid} is left unfinished: ${String(second)}`);
        });
        throw error;
      }
    },
  };
}

/** Makes the bundle failed, unless the server has done so by itself. */
async function endUpload(client: RestClient, uuid: string, why: string): Promise<void> {
  const { data } = await client.json<{ data: { attributes: { state: string | null } } }>(
    'GET',
    `/bundles/${uuid}`,
  );
  if (data.attributes.state !== 'uploading') return;
  await client.text('POST', `/bundles/${uuid}/state`, {
    query: { success: false, error_msg: `Upload failed: ${why}` },
    headers: { 'content-length': '0' },
  });
}
