/** The directory in which a command runs and leaves its results. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { systemCode } from '../errors.ts';
import { removeAll } from '../files.ts';

/**
 * Whose a directory is that several workers share: without it a worker that was cut off would remove the files of the attempt
 * that followed its own (execution.md §25). Undefined where nothing is shared.
 */
export type Ownership = { readonly worker: string; readonly epoch: number } | undefined;

/** Makes it empty; one that is shared keeps what the attempt before left. */
export async function makeRunDirectory(path: string, ownership: Ownership): Promise<void> {
  if (ownership === undefined) await removeAll(path);
  else await writeFile(ownerFile(path), ownerText(ownership));
  await mkdir(path, { recursive: true, mode: 0o770 });
}

/** Removes it, unless it belongs to another attempt by now. */
export async function removeRunDirectory(path: string, ownership: Ownership): Promise<void> {
  if (!(await isOwn(path, ownership))) return;
  await removeAll(path);
  if (ownership !== undefined) await rm(ownerFile(path), { force: true });
}

/** Whether no other attempt has taken it over. */
export async function isOwn(path: string, ownership: Ownership): Promise<boolean> {
  return ownership === undefined || (await ownerOf(path)) === ownerText(ownership);
}

function ownerFile(path: string): string {
  return `${path}.owner`;
}

function ownerText({ worker, epoch }: Exclude<Ownership, undefined>): string {
  return `${worker} ${epoch}`;
}

async function ownerOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(ownerFile(path), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
