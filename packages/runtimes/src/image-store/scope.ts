/**
 * Paths inside the root of an image, resolved as a process in it would: links lead wherever they like, but never out. Names are
 * bytes; they are handled as latin1 text, which has a character for each.
 */
import { lstatSync, mkdirSync, readlinkSync, type Stats } from 'node:fs';

/** What is in an image cannot be what an image is. */
export class DamagedImageError extends Error {
  override readonly name = 'DamagedImageError';
}

const mostLinks = 40;

export function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

export function lookAt(path: string): Stats | undefined {
  return lstatSync(bytesOf(path), { throwIfNoEntry: false });
}

/**
 * The names of a path, without empty ones and dots.
 * @throws DamagedImageError one of them leads upwards
 */
export function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..') || path.includes('\0')) {
    throw new DamagedImageError(`it has a file outside of itself (${path.slice(0, 200)})`);
  }
  return names;
}

export interface Resolution {
  /** Directories that are missing are made, with mode 0755. */
  readonly make: boolean;
}

/**
 * Where a directory of the image is on this machine, links followed inside the image. Undefined: there is none, and none was to be
 * made.
 * @param root latin1 text of an absolute path
 * @throws DamagedImageError what should be a directory is none, or links lead in circles
 */
export function resolveDirectory(
  root: string,
  names: readonly string[],
  { make }: Resolution,
): string | undefined {
  const waiting = [...names].toReversed();
  const done: string[] = [];
  for (let links = 0; waiting.length > 0;) {
    const name = waiting.pop() ?? '';
    if (name === '..') {
      done.pop();
      continue;
    }
    const path = [root, ...done, name].join('/');
    const found = lookAt(path);
    if (found?.isSymbolicLink() === true) {
      links += 1;
      if (links > mostLinks) throw new DamagedImageError(`links of it lead in circles (${name})`);
      const target = readlinkSync(bytesOf(path), 'latin1');
      if (target.startsWith('/')) done.length = 0;
      waiting.push(
        ...target
          .split('/')
          .filter((part) => part !== '' && part !== '.')
          .toReversed(),
      );
      continue;
    }
    if (found === undefined) {
      if (!make) return undefined;
      mkdirSync(bytesOf(path), { mode: 0o755 });
    } else if (!found.isDirectory()) {
      if (!make) return undefined;
      throw new DamagedImageError(`a file of it is used as a directory (${name})`);
    }
    done.push(name);
  }
  return [root, ...done].join('/');
}

/** What is at a path of an image when all links are followed; undefined: nothing. */
export function statInside(root: string, path: string): Stats | undefined {
  let names = path.split('/').filter((name) => name !== '' && name !== '.');
  for (let links = 0; links <= mostLinks; links += 1) {
    const directory = resolveDirectory(root, names.slice(0, -1), { make: false });
    const last = names.at(-1);
    if (directory === undefined || last === undefined) return undefined;
    const found = lookAt(`${directory}/${last}`);
    if (found?.isSymbolicLink() !== true) return found;
    const target = readlinkSync(bytesOf(`${directory}/${last}`), 'latin1');
    const base = target.startsWith('/') ? [] : directory.slice(root.length).split('/');
    names = [...base, ...target.split('/')].filter((name) => name !== '' && name !== '.');
    if (names.at(-1) === '..') return undefined;
  }
  return undefined;
}

/** Which of these paths lead to nothing in an image. @param root absolute path of the image's files */
export function missingDirectories(root: string, paths: readonly string[]): string[] {
  const text = Buffer.from(root).toString('latin1');
  return paths.filter((path) => statInside(text, path) === undefined);
}
