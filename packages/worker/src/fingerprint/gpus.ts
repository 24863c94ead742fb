/** The GPUs of this machine, asked from the host's own nvidia-smi. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, systemCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { StartProblem } from '../settings/settings.ts';

const run = promisify(execFile);

export interface Gpu {
  readonly index: string;
  readonly uuid: string;
}

/** None where there is no nvidia-smi, or where it fails: the log says why, because somebody has put it there for the sake of GPUs. */
export async function findGpus(log: Log, program = 'nvidia-smi'): Promise<Gpu[]> {
  try {
    const { stdout } = await run(program, ['--query-gpu=index,uuid', '--format=csv,noheader'], {
      timeout: 20_000,
    });
    return parseGpus(stdout);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') {
      log.warn({ error: messageOf(error) }, 'nvidia-smi failed: the worker offers no GPUs');
    }
    return [];
  }
}

/** Lines such as `0, GPU-5a2b…`; warnings that the driver mixes in are no GPUs. */
export function parseGpus(text: string): Gpu[] {
  return text.split('\n').flatMap((line) => {
    const [, index, uuid] = /^\s*(\d+)\s*,\s*([A-Za-z]+-\S+)\s*$/.exec(line) ?? [];
    return index === undefined || uuid === undefined ? [] : [{ index, uuid }];
  });
}

/** @returns uuids. @throws StartProblem where the owner names GPUs that are not there, or one twice (execution.md §16.1). */
export function offeredGpus(wanted: 'all' | readonly string[], found: readonly Gpu[]): string[] {
  if (wanted === 'all') return found.map(({ uuid }) => uuid);
  const offered = wanted.map((name) => {
    const gpu = found.find(({ index, uuid }) => index === name || uuid === name);
    if (gpu !== undefined) return gpu.uuid;
    const there = found.length === 0 ? 'nvidia-smi lists none' : `nvidia-smi lists only ${listed(found)}`;
    throw new StartProblem(`--gpuset names the GPU ${name}, but ${there} on this machine.`);
  });
  const twice = offered.find((uuid, at) => offered.indexOf(uuid) !== at);
  if (twice === undefined) return offered;
  throw new StartProblem(`--gpuset names the GPU ${twice} twice, by its index and its uuid.`);
}

function listed(found: readonly Gpu[]): string {
  return found.map(({ index, uuid }) => `${index} (${uuid})`).join(', ');
}
