/* Small images that no two tests share, made by the engine and kept in a registry. */
import { randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineClient } from '@sheaf/runtimes/testing';
import { archiveWithoutBash, forgetImage } from '@sheaf/testkit';
import { run } from './programs.ts';

export interface ImageWish {
  /** Paths and contents, added to a shell. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  /** As in `linux/arm64`; this machine's own by default. */
  readonly platform?: string;
  /** The value of `X-Registry-Auth`. */
  readonly login?: string;
  /** Leaves it in the engine; otherwise it is in the registry only. */
  readonly keep?: boolean;
}

export class ImageMaker {
  readonly engine: EngineClient;

  private constructor(engine: EngineClient) {
    this.engine = engine;
  }

  static async connect(): Promise<ImageMaker> {
    const address = { kind: 'socket', path: '/var/run/docker.sock' } as const;
    return new ImageMaker(await EngineClient.connect(address, AbortSignal.timeout(10_000)));
  }

  /** Makes an image like no other and pushes it. */
  async publish(repository: string, tag: string, wish: ImageWish = {}): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), 'sheaf-image-'));
    try {
      const root = join(directory, 'root');
      mkdirSync(root);
      await run('tar', ['--extract', '--file', await archiveWithoutBash(), '--directory', root]);
      const files = { 'unique.txt': randomUUID(), ...wish.files };
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(root, path, '..'), { recursive: true });
        writeFileSync(join(root, path), text, { mode: 0o755 });
      }
      const archive = join(directory, 'image.tar');
      await run('tar', ['--create', '--file', archive, '--owner=0', '--group=0', '--directory', root, '.']);
      const platform = wish.platform === undefined ? {} : { platform: wish.platform };
      await toEnd(this.engine.importImage(createReadStream(archive), { repo: repository, tag, ...platform }));
      await toEnd(this.engine.pushImage(repository, tag, wish.login));
      if (wish.keep !== true) await forgetImage(`${repository}:${tag}`);
      return `${repository}:${tag}`;
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  /** Whether the engine has an image. */
  async has(reference: string): Promise<boolean> {
    try {
      await this.engine.inspectImage(reference);
      return true;
    } catch (error) {
      if (error instanceof Error && 'status' in error && error.status === 404) return false;
      throw error;
    }
  }

  close(): void {
    this.engine.close();
  }
}

async function toEnd(lines: AsyncIterable<{ readonly error?: string | undefined }>): Promise<void> {
  for await (const { error } of lines) if (error !== undefined) throw new Error(error);
}
