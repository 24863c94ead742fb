/**
 * Unpacked images of one worker, each in a directory named after the digest of its configuration (as engines name images):
 *
 * - `<digest>/rootfs`: its files; `<digest>/image.json`: what else is to be known, its names among it
 * - `new-…`: one that is being unpacked; `old-…`: one that is being removed
 *
 * An image gets its name when all of it is on the disk, so that one cut short is never used; what a crash leaves goes at the next
 * start.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { isErrno } from '../files/errno.ts';
import { removeTree } from '../files/remove-tree.ts';
import { RuntimeError, type PreparedImage } from '../port.ts';
import { statInside } from './scope.ts';

const run = promisify(execFile);

const StoredImage = z.object({
  /** `sha256:…` */
  id: z.string(),
  /** `repository:tag` and `repository@sha256:…` */
  names: z.array(z.string()),
  /** As in `amd64`; empty where nobody knows. */
  architecture: z.string(),
  /** `NAME=value` */
  environment: z.array(z.string()),
  /** Path in the image; null: it has none. */
  shell: z.string().nullable(),
  /** Bytes of its files. */
  size: z.number(),
});
export type StoredImage = z.infer<typeof StoredImage>;

export type NewImage = Pick<StoredImage, 'id' | 'names' | 'architecture' | 'environment'>;

/** Bash as promised to users, else sh. */
const shells = ['/bin/bash', '/bin/sh'];

export class ImageStore {
  readonly #directory: string;
  readonly #images: Map<string, StoredImage>;

  private constructor(directory: string, images: Map<string, StoredImage>) {
    this.#directory = directory;
    this.#images = images;
  }

  static async open(directory: string): Promise<ImageStore> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const images = new Map<string, StoredImage>();
    for (const name of await readdir(directory)) {
      const image = /^[0-9a-f]{64}$/.test(name) ? await readImage(join(directory, name)) : undefined;
      if (image === undefined) await removeTree(join(directory, name));
      else images.set(image.id, image);
    }
    return new ImageStore(directory, images);
  }

  get(id: string): StoredImage | undefined {
    return this.#images.get(id);
  }

  named(name: string): StoredImage | undefined {
    return [...this.#images.values()].find(({ names }) => names.includes(name));
  }

  /** Where its files are. */
  root(id: string): string {
    return join(this.#place(id), 'rootfs');
  }

  /**
   * Unpacks an image; one that is there already is answered as it is.
   * @param fill puts the files into an empty directory, and answers their bytes
   */
  async add(image: NewImage, fill: (root: string) => Promise<number>): Promise<StoredImage> {
    const there = this.#images.get(image.id);
    if (there !== undefined) return there;
    const unfinished = join(this.#directory, `new-${randomUUID()}`);
    try {
      const root = join(unfinished, 'rootfs');
      await mkdir(root, { recursive: true });
      await chmod(root, 0o755);
      const size = await fill(root);
      const stored = { ...image, shell: shellIn(root), size };
      await writeFile(join(unfinished, 'image.json'), JSON.stringify(stored));
      await run('sync', ['--file-system', unfinished]);
      await rename(unfinished, this.#place(image.id));
      this.#images.set(image.id, stored);
      return stored;
    } catch (error) {
      await removeTree(unfinished);
      throw error;
    }
  }

  /** Notes names down: each means one image only, the one it was given last. */
  name(id: string, names: readonly string[]): void {
    for (const image of this.#images.values()) {
      const others = image.names.filter((name) => !names.includes(name));
      const now = image.id === id ? [...others, ...names] : others;
      const unchanged = now.length === image.names.length && now.every((name) => image.names.includes(name));
      if (!unchanged) this.#rewrite({ ...image, names: now });
    }
  }

  /** Answers false where it was not there. */
  async remove(id: string): Promise<boolean> {
    if (!this.#images.delete(id)) return false;
    const old = join(this.#directory, `old-${randomUUID()}`);
    await rename(this.#place(id), old);
    await removeTree(old);
    return true;
  }

  /** In one go, so that two who note something down do not meet. */
  #rewrite(image: StoredImage): void {
    this.#images.set(image.id, image);
    const file = join(this.#place(image.id), 'image.json');
    writeFileSync(`${file}.new`, JSON.stringify(image));
    renameSync(`${file}.new`, file);
  }

  #place(id: string): string {
    return join(this.#directory, id.replace(/^sha256:/, ''));
  }
}

/** Undefined: what lies there is no whole image. */
async function readImage(directory: string): Promise<StoredImage | undefined> {
  try {
    return StoredImage.parse(JSON.parse(await readFile(join(directory, 'image.json'), 'utf8')));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR') || error instanceof SyntaxError || error instanceof z.ZodError) {
      return undefined;
    }
    throw error;
  }
}

function shellIn(root: string): string | null {
  const text = Buffer.from(root).toString('latin1');
  return (
    shells.find((shell) => {
      const found = statInside(text, shell);
      return found?.isFile() === true && (found.mode & 0o111) !== 0;
    }) ?? null
  );
}

export type StartableImage = StoredImage & { readonly shell: string };

/** The image that a run was given. @throws RuntimeError it is not there any more, or no command can run in it */
export function imageToStart(store: Pick<ImageStore, 'get'>, prepared: PreparedImage | null): StartableImage {
  if (prepared === null) {
    throw new RuntimeError('This worker runs commands in container images: the run must name one', {
      userError: true,
    });
  }
  const image = store.get(prepared.id);
  if (image === undefined) {
    throw new RuntimeError(`The image ${prepared.id} is not there any more`, {
      userError: false,
      imageGone: true,
    });
  }
  if (image.shell === null) {
    throw new RuntimeError(
      'The image has no shell (neither /bin/bash nor /bin/sh), so that no command can run in it; choose another image',
      { userError: true },
    );
  }
  return { ...image, shell: image.shell };
}
