/** Serves one read of a run's directory (execution.md §5.3, §23). */
import { assertNever, missingSummary, summarizeFile } from '@sheaf/domain';
import type { ReadArguments } from '@sheaf/wire';
import { liveTar } from './archive.ts';
import { gzipped, gzippedBytes } from './compress.ts';
import { openLiveFile, piecesOf, readFully } from './file.ts';
import { follow } from './follow.ts';
import { openInside } from './inside.ts';
import { dependencyPaths, readPath } from './read-path.ts';
import { ReadProblem } from './read-problem.ts';
import { liveTargetInfo } from './target-info.ts';

export type ReadAnswer =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'data'; readonly body: Uint8Array | AsyncIterable<Uint8Array> };

export interface ReadableRun {
  readonly uuid: string;
  /** Host path of the run directory. */
  readonly directory: string;
  /** Keys of the run's dependencies. */
  readonly keys: readonly string[];
  /** Resolves when the command will write nothing more. */
  readonly commandEnded: Promise<void>;
  /** Whether that is so already. */
  readonly isOver: boolean;
}

/** @throws ReadProblem before the first byte; what fails later breaks the body off. */
export async function serveRead(
  run: ReadableRun,
  path: string,
  request: ReadArguments,
  signal: AbortSignal,
): Promise<ReadAnswer> {
  const components = readPath(path);
  const { uuid, directory } = run;
  const hidden = dependencyPaths(run.keys);
  if (request.type !== 'get_target_info') refuseDependencies(components, hidden);
  switch (request.type) {
    case 'get_target_info': {
      const info = await liveTargetInfo({ directory, uuid, components, depth: request.depth, hidden });
      return { kind: 'json', value: { target_info: info } };
    }
    case 'stream_directory':
      await (await openInside(directory, components)).close();
      return { kind: 'data', body: gzipped(liveTar(directory, components, hidden)) };
    case 'stream_file': {
      const file = await openLiveFile(directory, components);
      return { kind: 'data', body: gzipped(piecesOf(file, 0, (await file.stat()).size)) };
    }
    case 'read_file_section': {
      await using file = await openLiveFile(directory, components);
      const bytes = await readFully(file, request.offset, request.length);
      return { kind: 'data', body: await gzippedBytes(bytes) };
    }
    case 'summarize_file':
      return {
        kind: 'data',
        body: await gzippedBytes(Buffer.from(await summary(directory, components, request))),
      };
    case 'follow_file': {
      const open = () => openLiveFile(directory, components);
      // A file that is not there may still come; not after the end.
      if (run.isOver) await (await open()).close();
      return {
        kind: 'data',
        body: follow({ open, offset: request.offset, ended: run.commandEnded, signal }),
      };
    }
    default:
      return assertNever(request);
  }
}

/** @throws ReadProblem 404: what the run was given is read where it came from. */
function refuseDependencies(components: readonly string[], hidden: ReadonlySet<string>): void {
  const above = components.map((_, index) => components.slice(0, index + 1).join('/'));
  const dependency = above.find((path) => hidden.has(path));
  if (dependency !== undefined) throw new ReadProblem(404, `${dependency} is a dependency of the run.`);
}

async function summary(
  directory: string,
  components: readonly string[],
  request: Extract<ReadArguments, { type: 'summarize_file' }>,
): Promise<string> {
  try {
    await using file = await openLiveFile(directory, components);
    const { size } = await file.stat();
    const reader = { size, read: (offset: number, length: number) => readFully(file, offset, length) };
    return await summarizeFile(reader, {
      head: request.num_head_lines,
      tail: request.num_tail_lines,
      maxLineLength: request.max_line_length,
      truncationText: request.truncation_text ?? '',
    });
  } catch (error) {
    if (error instanceof ReadProblem && error.status === 404) return missingSummary;
    throw error;
  }
}
