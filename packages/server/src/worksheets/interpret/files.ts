/* What blocks show of files in bundles: cells, lines, pictures, curves (worksheets.md §6.2, §7.5). */
import {
  binarySummary,
  descend,
  fileValueLines,
  parseFileValue,
  parseGenpath,
  postProcess,
  type GenpathValue,
} from '@sheaf/domain';
import { PathError } from '@sheaf/trees';
import { SheafError } from '@sheaf/wire';
import { collect } from '../../contents/collect.ts';
import { openDownload } from '../../contents/download.ts';
import { locate, type LocateContext } from '../../contents/locate.ts';
import type { RequestedPart } from '../../contents/part.ts';
import { isFileCell, type Block, type Cell, type FileCell } from './blocks.ts';

const lineLength = 1024;
const mostBytes = fileValueLines * lineLength;
const largestPicture = 10 * 1024 * 1024;

/** Reads each file once, however many cells show something of it. */
export class FileReader {
  readonly #context: LocateContext;
  readonly #texts = new Map<string, Promise<string | undefined>>();

  constructor(context: LocateContext) {
    this.#context = context;
  }

  /** The value of a file genpath; null where there is none, `["Forbidden"]` on a bundle that may not be read. */
  async cell([uuid, genpath, post]: FileCell): Promise<GenpathValue> {
    const parsed = parseGenpath(genpath);
    if (parsed.kind !== 'file') throw new SheafError('invalid-request', `Not file genpath: ${genpath}`);
    try {
      const text = await this.#text(uuid, parsed.path);
      return text === undefined ? null : postProcess(descend(parseFileValue(text), parsed.keys), post);
    } catch (error) {
      if (error instanceof SheafError && error.code === 'permission-denied') return ['Forbidden'];
      throw error;
    }
  }

  /** The first lines of a file, each with its end; undefined where there is no such file. */
  async lines(uuid: string, path: string, most: number): Promise<string[] | undefined> {
    const part = {
      kind: 'summary',
      head: most,
      tail: 0,
      maxLineLength: lineLength,
      truncationText: '',
    } as const;
    const read = await this.#read(uuid, path, part, most * lineLength + lineLength);
    if (read === undefined) return undefined;
    if (read === 'directory') return ['<directory>'];
    const text = read.toString('utf8');
    if (text === binarySummary) return [text];
    return text.split(/(?<=\n)/).filter((line) => line !== '');
  }

  /** A small file in base64; undefined where there is none, or it is too large. */
  async picture(uuid: string, path: string): Promise<string | undefined> {
    const read = await this.#read(
      uuid,
      path,
      { kind: 'range', offset: 0, length: largestPicture + 1 },
      largestPicture + 1,
    );
    if (read === undefined || read === 'directory' || read.length > largestPicture) return undefined;
    return read.toString('base64');
  }

  #text(uuid: string, path: string): Promise<string | undefined> {
    const key = `${uuid}/${path}`;
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    const part = {
      kind: 'summary',
      head: fileValueLines,
      tail: 0,
      maxLineLength: lineLength,
      truncationText: '',
    } as const;
    const reading = this.#read(uuid, path, part, mostBytes + lineLength).then((read) =>
      read === undefined || read === 'directory' ? undefined : read.toString('utf8'),
    );
    this.#texts.set(key, reading);
    return reading;
  }

  async #read(
    uuid: string,
    path: string,
    part: RequestedPart,
    most: number,
  ): Promise<Buffer | 'directory' | undefined> {
    try {
      const located = await locate(this.#context, uuid, path, 0);
      if (located.info.type === 'directory') return 'directory';
      if (located.info.type !== 'file') return undefined;
      const { body } = await openDownload(this.#context, located, part, false);
      return Buffer.isBuffer(body) ? body : await collect(body, most);
    } catch (error) {
      if (error instanceof SheafError && ['not-found', 'worker-unreachable'].includes(error.code))
        return undefined;
      if (error instanceof PathError) return undefined;
      throw error;
    }
  }
}

/** The rows with every file cell replaced by its value; everything else as it is. */
export async function resolveRows(
  files: FileReader,
  rows: readonly Record<string, unknown>[],
): Promise<Record<string, unknown>[]> {
  const resolved: Record<string, unknown>[] = [];
  for (const row of rows) {
    const entries = await Promise.all(
      Object.entries(row).map(
        async ([name, cell]) => [name, isFileCell(cell) ? await files.cell(cell) : cell] as const,
      ),
    );
    resolved.push(Object.fromEntries(entries));
  }
  return resolved;
}

/** Fills a block in; a file that may not be read makes it an error. */
export async function resolveBlock(files: FileReader, block: Block): Promise<Block> {
  try {
    return await filled(files, block);
  } catch (error) {
    if (!(error instanceof SheafError)) throw error;
    return { mode: 'markup_block', is_refined: true, text: `ERROR: ${error.message}`, error: true };
  }
}

async function filled(files: FileReader, block: Block): Promise<Block> {
  switch (block.mode) {
    case 'table_block':
    case 'record_block':
      return { ...block, rows: (await resolveRows(files, block.rows)) as Record<string, Cell>[] };
    case 'contents_block': {
      const lines = await files.lines(shownUuid(block), block.target_genpath, block.max_lines ?? 1);
      return lines === undefined ? { ...block, lines: null, status: absent } : { ...block, lines };
    }
    case 'image_block': {
      const image = await files.picture(shownUuid(block), block.target_genpath);
      return image === undefined
        ? { ...block, image_data: null, status: absent }
        : { ...block, image_data: image };
    }
    case 'graph_block': {
      const trajectories = await Promise.all(
        block.trajectories.map(async (one) => {
          const lines = await files.lines(one.bundle_uuid, one.target_genpath, block.max_lines);
          return lines === undefined ? one : { ...one, points: lines.map((line) => line.split('\t')) };
        }),
      );
      return { ...block, trajectories };
    }
    case 'markup_block':
    case 'schema_block':
    case 'subworksheets_block':
      return block;
  }
}

const absent = {
  code: 'not_found',
  error_message: 'There is no such file, or it is too large to be shown.',
} as const;

function shownUuid(block: { bundles_spec: { bundle_infos: { uuid: string }[] } }): string {
  return block.bundles_spec.bundle_infos[0]?.uuid ?? '';
}
