/** Root file systems as images of the engine and of a registry. */
import { createReadStream } from 'node:fs';
import { EngineClient } from '@sheaf/runtimes/testing';
import type { Registry } from '../services/registry.ts';

const engineSocket = { kind: 'socket', path: '/var/run/docker.sock' } as const;

export interface ImageSource {
  /** Such as `python`. */
  readonly name: string;
  /** Changes with every change of what is in it. */
  readonly version: string;
  /** Path of the root file system's archive. */
  archive(): Promise<string>;
}

/** Puts an image into the engine (once for all test runs) and into the registry; answers its name there. */
export async function publishImage(source: ImageSource, registry: Registry): Promise<string> {
  const engine = await EngineClient.connect(engineSocket, AbortSignal.timeout(10_000));
  try {
    const local = { repository: `sheaf-test/${source.name}`, tag: source.version };
    if (!(await isPresent(engine, `${local.repository}:${local.tag}`))) {
      const archive = createReadStream(await source.archive());
      await toEnd(engine.importImage(archive, { repo: local.repository, tag: local.tag }));
    }
    const repository = `${registry.address}/${local.repository}`;
    await engine.tagImage(`${local.repository}:${local.tag}`, repository, local.tag);
    await toEnd(engine.pushImage(repository, local.tag));
    return `${repository}:${local.tag}`;
  } finally {
    engine.close();
  }
}

/** Takes an image's name in the registry out of the engine, so that the next use has to download it again. */
export async function forgetImage(reference: string): Promise<void> {
  const engine = await EngineClient.connect(engineSocket, AbortSignal.timeout(10_000));
  try {
    const { RepoTags, RepoDigests } = await engine.inspectImage(reference);
    const repository = reference.slice(0, reference.lastIndexOf(':'));
    const names = [...(RepoTags ?? []), ...(RepoDigests ?? [])];
    for (const name of names.filter((name) => name.startsWith(`${repository}:`))) {
      await engine.removeImage(name);
    }
    for (const name of names.filter((name) => name.startsWith(`${repository}@`))) {
      if (await isPresent(engine, name)) {
        await engine.removeImage(name);
      }
    }
  } finally {
    engine.close();
  }
}

async function isPresent(engine: EngineClient, reference: string): Promise<boolean> {
  try {
    await engine.inspectImage(reference);
    return true;
  } catch (error) {
    if (isNotFound(error)) {
      return false;
    }
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'status' in error && error.status === 404;
}

async function toEnd(lines: AsyncIterable<unknown>): Promise<void> {
  const iterator = lines[Symbol.asyncIterator]();
  while (!(await iterator.next()).done);
}
