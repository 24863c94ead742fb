/** Puts the Apptainer runtime of a worker together. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openImages, type OpenImagesOptions } from '../image-store/open.ts';
import { RuntimeError, type Runtime } from '../port.ts';
import { makeHostFiles } from '../runc/host-files.ts';
import { listRecords, readRecord, runPaths } from '../sandbox/record.ts';
import type { SandboxUser } from '../sandbox/user.ts';
import { findApptainer } from './probe.ts';
import { ApptainerRuntime } from './runtime.ts';
import { gatherTools } from './tools.ts';

export interface ApptainerRuntimeOptions extends Omit<OpenImagesOptions, 'inUse'> {
  /** Default `apptainer`, looked up on the PATH. */
  readonly program?: string | undefined;
  /** Who runs commands of a worker that is root, in directories that are root's; default nobody (65534). */
  readonly user?: SandboxUser | undefined;
  /** Processes and threads a run may have at once; default 32768. */
  readonly processLimit?: number | undefined;
}

const hosts = '/etc/hosts';

/** @throws ApptainerMissing it is not there, or no containers can be made; the message is half a sentence */
export async function connectApptainerRuntime(options: ApptainerRuntimeOptions): Promise<Runtime> {
  const answer = await findApptainer(options.program ?? 'apptainer', join(options.directory, 'probes'));
  if (!answer.available) throw new ApptainerMissing(answer.reason);
  const stateDirectory = join(options.directory, 'apptainer');
  // What runs are given is nobody else's business.
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const images = await openImages({ ...options, inUse: (id) => isUsed(stateDirectory, id) });
  const files = await makeHostFiles(join(options.directory, 'files'));
  return new ApptainerRuntime({
    ...answer,
    ...images,
    stateDirectory,
    // On the host's network its names are good, too; where others are asked for, Apptainer says itself.
    files: { alone: files.all, network: existsSync(hosts) ? { [hosts]: hosts } : files.all },
    tools: await gatherTools(join(options.directory, 'tools')),
    user: options.user,
    processLimit: options.processLimit ?? 32_768,
    close: async () => images.close(),
  });
}

/** Why Apptainer cannot be used here. */
export class ApptainerMissing extends RuntimeError {
  constructor(reason: string) {
    super(reason, { userError: false });
  }
}

async function isUsed(stateDirectory: string, image: string): Promise<boolean> {
  for (const { uuid, epoch } of await listRecords(stateDirectory)) {
    if (readRecord(runPaths(stateDirectory, uuid, epoch))?.image === image) return true;
  }
  return false;
}
