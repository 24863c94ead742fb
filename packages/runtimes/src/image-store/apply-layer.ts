/**
 * Puts one layer of an image on top of those below it (OCI image specification, "Layer Filesystem Changeset"): files, links and
 * directories with owners, modes and times; whiteouts take away what is below. Devices and pipes are left out: no run may use an
 * image's devices anyway. For an ordinary user all files are that user's. Extended attributes are left out too: without new privileges, those that matter have no effect.
 *
 * Calls are synchronous, as many small files want it; between two pieces of the stream everybody else has a turn.
 */
import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { readTar, type TarAttributes, type TarMember } from '@sheaf/trees';
import { bytesOf, DamagedImageError, lookAt, namesOf, resolveDirectory } from './scope.ts';

const whiteout = '.wh.';
const opaque = '.wh..wh..opq';
/** Files up to this size are written in one call. Bytes. */
const small = 256 * 1024;

export interface AppliedLayer {
  /** Of the files in it. */
  readonly bytes: number;
  /** Devices and pipes. */
  readonly leftOut: number;
}

/**
 * @param root a directory that nobody else can write to
 * @throws DamagedImageError, InvalidArchiveError, and what the system says (`ENOSPC`)
 */
export async function applyLayer(archive: AsyncIterable<Uint8Array>, root: string): Promise<AppliedLayer> {
  const layer = new Layer(Buffer.from(root).toString('latin1'));
  for await (const member of readTar(archive)) {
    await layer.add(member);
  }
  layer.finish();
  return layer;
}

/** Whether files can be given to others, and used without their leave. */
const asRoot = process.getuid?.() === 0;

class Layer implements AppliedLayer {
  readonly #root: string;
  /** What this very layer has brought: its whiteouts are about what is below. */
  readonly #brought = new Set<string>();
  /** The directories in which that is. */
  readonly #around = new Set<string>();
  /** Times of directories are set at the end: each file that comes would change them. */
  readonly #times = new Map<string, number>();
  bytes = 0;
  leftOut = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async add(member: TarMember): Promise<void> {
    const names = namesOf(member.name.toString('latin1'));
    const last = names.at(-1);
    if (last === undefined) {
      this.#adopt(this.#root, member);
      return;
    }
    const parent = resolveDirectory(this.#root, names.slice(0, -1), { make: !last.startsWith(whiteout) });
    if (parent === undefined) return;
    if (last.startsWith(whiteout)) {
      this.#takeAway(parent, last);
      return;
    }
    await this.#put(`${parent}/${last}`, member);
  }

  finish(): void {
    for (const [path, modified] of this.#times) utimesSync(bytesOf(path), modified, modified);
  }

  #takeAway(parent: string, name: string): void {
    if (name === opaque) {
      for (const child of readdirSync(bytesOf(parent), 'latin1')) this.#removeOld(`${parent}/${child}`);
      return;
    }
    const hidden = name.slice(whiteout.length);
    // Others of these names are notes of a file system that Docker once used.
    if (hidden.startsWith(whiteout)) return;
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new DamagedImageError(`it takes away something outside of a directory (${name})`);
    }
    this.#removeOld(`${parent}/${hidden}`);
  }

  /** Removes what came with layers below, and leaves what came with this one. */
  #removeOld(path: string): void {
    const found = lookAt(path);
    if (found === undefined) return;
    if (!this.#brought.has(path) && !this.#around.has(path)) {
      this.#remove(path, found);
      return;
    }
    if (!found.isDirectory()) return;
    for (const child of readdirSync(bytesOf(path), 'latin1')) this.#removeOld(`${path}/${child}`);
  }

  #makeRoom(path: string): void {
    const found = lookAt(path);
    if (found !== undefined) this.#remove(path, found);
  }

  /** Never follows a link. What takes the place of a directory may be a link: the times to be set there are dropped. */
  #remove(path: string, found: { isDirectory(): boolean }): void {
    rmSync(bytesOf(path), { recursive: true, force: true });
    if (!found.isDirectory()) return;
    for (const known of this.#times.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.#times.delete(known);
    }
  }

  async #put(path: string, member: TarMember): Promise<void> {
    switch (member.type) {
      case '5':
        this.#makeDirectory(path, member);
        break;
      case '0':
      case '7':
        await this.#writeFile(path, member);
        break;
      case '1':
        this.#makeHardLink(path, member.link.toString('latin1'));
        break;
      case '2':
        this.#makeLink(path, member);
        break;
      default:
        this.leftOut += 1;
        return;
    }
    this.#brought.add(path);
    for (let above = dirname(path); !this.#around.has(above) && above !== '/'; above = dirname(above)) {
      this.#around.add(above);
    }
  }

  #makeDirectory(path: string, member: TarMember): void {
    const found = lookAt(path);
    if (found?.isDirectory() !== true) {
      if (found !== undefined) this.#remove(path, found);
      mkdirSync(bytesOf(path));
    }
    this.#adopt(path, member);
  }

  #adopt(path: string, member: TarMember): void {
    const { uid, gid, modified } = member.attributes();
    if (asRoot) lchownSync(bytesOf(path), uid, gid);
    // An ordinary user could otherwise neither put anything into it nor remove it.
    chmodSync(bytesOf(path), asRoot ? member.mode & 0o7777 : (member.mode & 0o1777) | 0o700);
    this.#times.set(path, modified);
  }

  async #writeFile(path: string, member: TarMember): Promise<void> {
    this.#makeRoom(path);
    const attributes = member.attributes();
    const { mode, size } = member;
    if (size <= small) {
      writeFileSync(bytesOf(path), await member.bytes(), { flag: 'wx', mode: 0o600 });
    } else {
      const file = openSync(bytesOf(path), 'wx', 0o600);
      try {
        for await (const piece of member.body()) writeWhole(file, piece);
      } finally {
        closeSync(file);
      }
    }
    this.bytes += size;
    // The owner first: a change of it takes the bits away that lend somebody's rights.
    if (asRoot && (attributes.uid !== 0 || attributes.gid !== 0)) {
      lchownSync(bytesOf(path), attributes.uid, attributes.gid);
    }
    chmodSync(bytesOf(path), asRoot ? mode & 0o7777 : (mode & 0o1777) | 0o400);
    utimesSync(bytesOf(path), attributes.modified, attributes.modified);
  }

  /** A second name for a file of the image, which may be one of a layer below. */
  #makeHardLink(path: string, target: string): void {
    const names = namesOf(target);
    const directory = resolveDirectory(this.#root, names.slice(0, -1), { make: false });
    const source = `${directory}/${names.at(-1)}`;
    const found = directory === undefined ? undefined : lookAt(source);
    if (found === undefined || found.isDirectory()) {
      throw new DamagedImageError(`it has a link to a file that is not in it (${target.slice(0, 200)})`);
    }
    if (source === path) return;
    this.#makeRoom(path);
    linkSync(bytesOf(source), bytesOf(path));
  }

  #makeLink(path: string, member: TarMember): void {
    if (member.link.length === 0 || member.link.includes(0)) {
      throw new DamagedImageError('it has a link that leads nowhere');
    }
    this.#makeRoom(path);
    const { uid, gid, modified }: TarAttributes = member.attributes();
    symlinkSync(member.link, bytesOf(path));
    if (asRoot) lchownSync(bytesOf(path), uid, gid);
    lutimesSync(bytesOf(path), modified, modified);
  }
}

function writeWhole(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}
