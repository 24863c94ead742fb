/** Puts together what a runtime that unpacks images itself needs for that. */
import { performance } from 'node:perf_hooks';
import { join } from 'node:path';
import { canExecute } from '../docker/architecture.ts';
import { isPlain } from '../docker/plain-registry.ts';
import { defaultLoginFile, registryLogin } from '../docker/registry-login.ts';
import type { EngineAddress } from '../engine/address.ts';
import { EngineClient } from '../engine/client.ts';
import { EngineError, EngineUnreachableError } from '../engine/errors.ts';
import type { Info } from '../engine/schema.ts';
import { ImageStore } from './image-store.ts';
import { UnpackedImages } from './prepare.ts';
import { removeLeftExports } from './sources.ts';

export interface OpenImagesOptions {
  /** Directory of this worker alone; images are in one below. */
  readonly directory: string;
  /** Identity of the worker. */
  readonly worker: string;
  /** An engine on this machine whose images are used; nothing happens where none answers. */
  readonly engine?: EngineAddress | undefined;
  /** Docker's configuration file with registry logins; default `$DOCKER_CONFIG/config.json`, else in the home directory. */
  readonly loginFile?: string | undefined;
  /** Whether a run that is still there was started in this image. */
  readonly inUse: (id: string) => Promise<boolean>;
}

export interface OpenImages {
  readonly store: ImageStore;
  readonly images: UnpackedImages;
  /** Half a sentence: where images come from. */
  readonly source: string;
  close(): void;
}

export async function openImages(options: OpenImagesOptions): Promise<OpenImages> {
  const engine = await engineAt(options.engine, options.worker);
  const store = await ImageStore.open(join(options.directory, 'images'));
  const loginFile = options.loginFile ?? defaultLoginFile(process.env);
  const architecture = ownArchitecture();
  const images = new UnpackedImages({
    store,
    engine: engine?.client,
    worker: options.worker,
    login: (repository) => registryLogin(loginFile, repository),
    isPlain: (registry) => isPlain(registry, engine?.info ?? {}),
    architecture,
    canExecute: (made) => canExecute(made, architecture),
    inUse: options.inUse,
    now: () => performance.now(),
  });
  return {
    store,
    images,
    source: engine === undefined ? 'images from registries' : 'images from registries and the engine here',
    close: () => engine?.client.close(),
  };
}

async function engineAt(
  address: EngineAddress | undefined,
  worker: string,
): Promise<{ client: EngineClient; info: Info } | undefined> {
  if (address === undefined) return undefined;
  let client: EngineClient | undefined;
  try {
    client = await EngineClient.connect(address, AbortSignal.timeout(5_000));
    await removeLeftExports(client, worker);
    return { client, info: await client.info() };
  } catch (error) {
    client?.close();
    // Registries have the images too.
    if (error instanceof EngineError || error instanceof EngineUnreachableError) return undefined;
    throw error;
  }
}

/** As images call it. */
function ownArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
  return names[process.arch] ?? process.arch;
}
