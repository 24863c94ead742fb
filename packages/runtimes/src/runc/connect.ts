/** Puts the runc runtime of a worker together. */
import { join } from 'node:path';
import { openImages, type OpenImagesOptions } from '../image-store/open.ts';
import { RuntimeError, type Runtime } from '../port.ts';
import { PipeStock } from '../sandbox/pipe-stock.ts';
import { listRecords } from '../sandbox/record.ts';
import { makeHostFiles } from './host-files.ts';
import { RuncNetworks } from './network.ts';
import { findRunc } from './probe.ts';
import { readRuncRecord, runcPaths } from './record.ts';
import { RuncRuntime } from './runtime.ts';

export interface RuncRuntimeOptions extends Omit<OpenImagesOptions, 'inUse'> {
  /** Directory of this worker alone: unpacked images and runs. Not on a file system that overlays cannot be laid on. */
  readonly directory: string;
  /** Default `runc`, looked up on the PATH. */
  readonly program?: string | undefined;
  /** Processes and threads a run may have at once; default 32768. */
  readonly processLimit?: number | undefined;
}

/** @throws RuntimeError runc is not there, or may not be used; the message is half a sentence */
export async function connectRuncRuntime(options: RuncRuntimeOptions): Promise<Runtime> {
  const program = options.program ?? 'runc';
  const stateDirectory = join(options.directory, 'runs');
  const answer = await findRunc(program, join(options.directory, 'probes'));
  if (!answer.available) {
    throw new RuncMissing(answer.reason, answer.advice);
  }
  const images = await openImages({
    ...options,
    inUse: (id) => isUsed(stateDirectory, id),
  });
  const pipes = new PipeStock(join(options.directory, 'pipes'));
  const networks = new RuncNetworks();
  await networks.prepare();
  return new RuncRuntime({
    program,
    version: answer.version,
    stateDirectory,
    groups: answer.groups,
    ...images,
    networks,
    pipes,
    files: await makeHostFiles(join(options.directory, 'files')),
    processLimit: options.processLimit ?? 32_768,
    close: async () => {
      images.close();
      await pipes.close();
      await networks.release();
    },
  });
}

/** Why runc cannot be used here, and what would help. */
export class RuncMissing extends RuntimeError {
  readonly advice: string | undefined;
  constructor(reason: string, advice: string | undefined) {
    super(reason, { userError: false });
    this.advice = advice;
  }
}

async function isUsed(stateDirectory: string, image: string): Promise<boolean> {
  for (const { uuid, epoch } of await listRecords(stateDirectory)) {
    const record = readRuncRecord(runcPaths(stateDirectory, uuid, epoch));
    if (record?.image === image) return true;
  }
  return false;
}
