/** Opens an ordinary file of a running bundle, and reads parts of it. */
import type { FileHandle } from 'node:fs/promises';
import { openInside } from './inside.ts';
import { ReadProblem } from './read-problem.ts';

const pieceSize = 256 * 1024;

/** @throws ReadProblem 404 where there is no such file, or what is there is no ordinary one. */
export async function openLiveFile(directory: string, components: readonly string[]): Promise<FileHandle> {
  const name = components.at(-1);
  if (name === undefined) throw new ReadProblem(404, 'The bundle is a directory.');
  await using parent = await openInside(directory, components.slice(0, -1));
  const file = await parent.file(name);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new ReadProblem(404, `${components.join('/')} is not a file.`);
}

/** The bytes from `start` to `end` (not included), fewer where the file ends before; closes the file. */
export async function* piecesOf(file: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array> {
  try {
    for (let at = start; at < end;) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(pieceSize, end - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Exactly the bytes asked for, fewer only at the end of the file. */
export async function readFully(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
