/** Root file systems as images of the engine and of a registry. */
import { createReadStream } from 'node:fs';
import { EngineClient } from '@sheaf/runtimes/testing';
import type { Registry } from '../services/registry.ts';
import { inTurn } from '../services/turns.ts';

const engineSocket = { kind: 'socket', path: '/var/run/docker.sock' } as const;

export interface ImageSource {
  /** Such as `python`. */
  readonly name: string;
  /** Changes with every change of what is in it. */
  readonly version: string;
  /** Path of the root file system's archive. */
  archive(): Promise<string>;
  /** Lines of a Dockerfile that set what is not in the file system, such as `ENV` and `USER`. */
  readonly configuration?: readonly string[];
}

/** Puts an image into the engine (once for all test runs) and into the registry; answers its name there. */
export async function publishImage(source: ImageSource, registry: Registry): Promise<string> {
  const engine = await EngineClient.connect(engineSocket, AbortSignal.timeout(10_000));
  try {
    const local = await imported(engine, source);
    const repository = `${registry.address}/${local.repository}`;
    await engine.tagImage(`${local.repository}:${local.tag}`, repository, local.tag);
    await toEnd(engine.pushImage(repository, local.tag));
    return `${repository}:${local.tag}`;
  } finally {
    engine.close();
  }
}

/** Puts an image into the engine (once for all test runs); answers its name there. */
export async function localImage(source: ImageSource): Promise<string> {
  const engine = await EngineClient.connect(engineSocket, AbortSignal.timeout(10_000));
  try {
    const { repository, tag } = await imported(engine, source);
    return `${repository}:${tag}`;
  } finally {
    engine.close();
  }
}

async function imported(
  engine: EngineClient,
  source: ImageSource,
): Promise<{ readonly repository: string; readonly tag: string }> {
  const local = { repository: `sheaf-test/${source.name}`, tag: source.version };
  // Imported twice it would be two images, and one of them nameless.
  await inTurn(`import-${source.name}`, async () => {
    if (await isPresent(engine, `${local.repository}:${local.tag}`)) return;
    const archive = createReadStream(await source.archive());
    const changes = source.configuration === undefined ? {} : { changes: source.configuration.join('\n') };
    await toEnd(engine.importImage(archive, { repo: local.repository, tag: local.tag, ...changes }));
  });
  return local;
}

/** Takes an image's names in a registry out of the engine, so that the next use has to download it again. */
export async function forgetImage(reference: string): Promise<void> {
  const engine = await EngineClient.connect(engineSocket, AbortSignal.timeout(10_000));
  try {
    const repository = reference.includes('@')
      ? reference.slice(0, reference.indexOf('@'))
      : reference.slice(0, reference.lastIndexOf(':'));
    await forgetNames(engine, await engine.inspectImage(reference), repository);
  } finally {
    engine.close();
  }
}

/** Takes the names of all images of a registry out of the engine, as far as there is one. */
export async function forgetRegistry(address: string): Promise<void> {
  const engine = await connectIfThere();
  try {
    for (const depth of ['*', '*/*', '*/*/*']) {
      for (const image of (await engine?.listImages(`${address}/${depth}`)) ?? []) {
        await forgetNames(engine, image, `${address}/`);
      }
    }
  } finally {
    engine?.close();
  }
}

async function forgetNames(
  engine: EngineClient | undefined,
  image: {
    readonly RepoTags?: string[] | null | undefined;
    readonly RepoDigests?: string[] | null | undefined;
  },
  prefix: string,
): Promise<void> {
  const names = [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])];
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    try {
      await engine?.removeImage(name);
    } catch (error) {
      // The last tag takes the digest with it; a container that a test left keeps the image.
      if (!hasStatus(error, 404, 409)) {
        throw error;
      }
    }
  }
}

async function connectIfThere(): Promise<EngineClient | undefined> {
  try {
    return await EngineClient.connect(engineSocket, AbortSignal.timeout(10_000));
  } catch {
    return undefined;
  }
}

async function isPresent(engine: EngineClient, reference: string): Promise<boolean> {
  try {
    await engine.inspectImage(reference);
    return true;
  } catch (error) {
    if (hasStatus(error, 404)) {
      return false;
    }
    throw error;
  }
}

function hasStatus(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof Error && 'status' in error && codes.includes(Number(error.status));
}

async function toEnd(lines: AsyncIterable<unknown>): Promise<void> {
  const iterator = lines[Symbol.asyncIterator]();
  while (!(await iterator.next()).done);
}
