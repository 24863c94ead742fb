/** Shows files of a run as they are written, over streams that the server keeps open (cli.md §8.11). */
import { followContents, readContents, targetInfo, type RestClient } from '@sheaf/client';
import { SheafError } from '@sheaf/wire';
import type { Context } from '../context.ts';
import { isOutage, type BundleWatch } from './bundle-watch.ts';

/** Bytes before the end at which `cl wait --tail` begins. */
const lastBytes = 64;
/** Bytes in which the last lines are looked for. */
const longestEnd = 256 * 1024;
const newline = 10;

export interface FollowOptions {
  readonly client: RestClient;
  readonly uuid: string;
  readonly watch: BundleWatch;
  /** Begins shortly before the end of what is there instead of at the start. */
  readonly fromEnd: boolean;
  /** How many lines before the end; without it, a few bytes. */
  readonly lastLines?: number;
}

/** Both outputs of a run, in the order in which they are written. A run that never started has none. */
export async function followOutputs(context: Context, options: FollowOptions): Promise<void> {
  const follow = async (path: string): Promise<void> => {
    try {
      await followFile(context, path, options);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  };
  await Promise.all([follow('stdout'), follow('stderr')]);
}

/** @throws SheafError `not-found` where the file is still not there when the bundle is final. */
export async function followFile(context: Context, path: string, options: FollowOptions): Promise<void> {
  const { watch } = options;
  const target = { uuid: options.uuid, subpath: path };
  let offset = options.fromEnd ? await startNearEnd(options, target) : 0;
  for (;;) {
    // Asked before reading: what is written after a final state has been seen does not exist.
    const complete = watch.isFinal;
    try {
      const { body } = await followContents(options.client, target, { offset });
      for await (const chunk of body) {
        context.write(chunk);
        offset += chunk.byteLength;
      }
      if (complete) return;
    } catch (error) {
      if (isMissing(error) ? complete : !isOutage(error)) throw error;
    }
    await watch.changed();
  }
}

async function startNearEnd(
  { client, lastLines }: FollowOptions,
  target: { uuid: string; subpath: string },
): Promise<number> {
  try {
    const { size } = await targetInfo(client, target, 0);
    if (lastLines === undefined) return Math.max(0, size - lastBytes);
    return await startOfLastLines(client, target, size, lastLines);
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

/** Where the last lines of so many bytes begin, as far as they are not very long. */
async function startOfLastLines(
  client: RestClient,
  target: { uuid: string; subpath: string },
  size: number,
  lines: number,
): Promise<number> {
  const start = Math.max(0, size - longestEnd);
  if (lines <= 0 || size === 0) return size;
  const pieces: Uint8Array[] = [];
  const { body } = await readContents(client, target, { range: [start, size - 1] });
  for await (const piece of body) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  let at = bytes.at(-1) === newline ? bytes.length - 1 : bytes.length;
  for (let left = lines; left > 0; left -= 1) {
    at = at === 0 ? -1 : bytes.lastIndexOf(newline, at - 1);
    if (at === -1) return start;
  }
  return start + at + 1;
}

function isMissing(error: unknown): boolean {
  return error instanceof SheafError && error.code === 'not-found';
}
