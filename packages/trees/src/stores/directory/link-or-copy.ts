import { constants } from 'node:fs';
import { copyFile, link, stat } from 'node:fs/promises';
import { errorCode } from './storage-error.ts';

/** Links only what nobody else has linked, because through another name it could still be written to. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  if ((await stat(from)).nlink === 1) {
    try {
      await link(from, to);
      return;
    } catch (error) {
      if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP'].includes(errorCode(error) ?? '')) throw error;
    }
  }
  await copyFile(from, to, constants.COPYFILE_FICLONE);
}
