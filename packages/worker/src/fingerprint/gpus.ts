/** The GPUs of this machine, asked from the host's own nvidia-smi. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { StartProblem } from '../settings/settings.ts';

const run = promisify(execFile);

export interface Gpu {
  readonly index: string;
  readonly uuid: string;
}

/** None where there is no nvidia-smi, or where it fails. */
export async function findGpus(program = 'nvidia-smi'): Promise<Gpu[]> {
  try {
    const { stdout } = await run(program, ['--query-gpu=index,uuid', '--format=csv,noheader'], {
      timeout: 20_000,
    });
    return parseGpus(stdout);
  } catch (error) {
    // Machines without GPUs have no such program; one that fails has no GPU to offer either.
    if (error instanceof Error) return [];
    throw error;
  }
}

export function parseGpus(text: string): Gpu[] {
  return text.split('\n').flatMap((line) => {
    const [index, uuid] = line.split(',').map((part) => part.trim());
    return index === undefined || uuid === undefined || uuid === '' ? [] : [{ index, uuid }];
  });
}

/** @returns uuids. @throws StartProblem where the owner names GPUs that are not there (execution.md §16.1). */
export function offeredGpus(wanted: 'all' | readonly string[], found: readonly Gpu[]): string[] {
  if (wanted === 'all') return found.map(({ uuid }) => uuid);
  return wanted.map((name) => {
    const gpu = found.find(({ index, uuid }) => index === name || uuid === name);
    if (gpu === undefined) {
      throw new StartProblem(
        `--gpuset names the GPU ${name}, but nvidia-smi lists no such one on this machine.`,
      );
    }
    return gpu.uuid;
  });
}
