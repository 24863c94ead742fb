/** Runs in Linux namespaces on the host's own system, for machines without a container engine. No images. */
import { chmodSync, existsSync, statSync } from 'node:fs';
import { createRunGroup, joiningFilesOf } from '../cgroups/run-group.ts';
import type { GroupHost } from '../cgroups/host.ts';
import { runScript } from '../command/shell.ts';
import {
  ImageError,
  RuntimeError,
  type ImageRemoval,
  type ExecRequest,
  type ExecSession,
  type PreparedImage,
  type RunHandle,
  type RunSpecification,
  type Runtime,
  type RuntimeCapabilities,
} from '../port.ts';
import { canEnter, execInRun, whyNoEntry } from './enter-run.ts';
import { pinnedTo } from './exec.ts';
import { hiddenInside, kernelDirectories, nameServerFile, systemEntries } from './layout.ts';
import { makeMountPoints } from './mount-points.ts';
import { planMounts } from './plan.ts';
import { recordName, writeRecord, type RunPaths } from './record.ts';
import { SupervisedRuntime } from './supervised-runtime.ts';
import { stagedCommand } from './supervisor.ts';
import type { SandboxTool } from './tools.ts';
import type { SandboxUser } from './user.ts';

export const sandboxRuntimeName = 'sandbox';

export interface SandboxRuntimeOptions {
  /** Directory of this worker alone, for what must outlive it. */
  readonly stateDirectory: string;
  /** Files and directories no run may see, such as the server's data; those outside system directories are hidden anyway. */
  readonly hide: readonly string[];
  readonly tool: SandboxTool;
  /** Where control groups can be made; undefined: nowhere, and limits are weaker. */
  readonly groups: GroupHost | undefined;
  /** Who runs commands of a worker that is root, in directories that are root's; default nobody (65534). */
  readonly user?: SandboxUser | undefined;
  /** Processes and threads a run may have at once; default 32768. */
  readonly processLimit?: number | undefined;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export class SandboxRuntime extends SupervisedRuntime implements Runtime {
  readonly name = sandboxRuntimeName;
  readonly capabilities: RuntimeCapabilities;
  readonly description: string;
  readonly #options: SandboxRuntimeOptions;

  constructor(options: SandboxRuntimeOptions) {
    super({
      ...options,
      runtime: sandboxRuntimeName,
      thing: 'sandbox',
      firstCounts: true,
    });
    this.#options = options;
    this.capabilities = {
      images: false,
      cpuLimit: true,
      memoryLimit: options.groups !== undefined,
      networkIsolation: true,
      gpus: false,
      exec: canEnter(options.tool),
    };
    this.description = describe(options);
  }

  async prepareImage(reference: string): Promise<PreparedImage> {
    throw new ImageError(
      `Can't download image ${reference}: this worker has no container engine and runs commands in a sandbox on its own system`,
      { transient: false },
    );
  }

  async removeImage(): Promise<ImageRemoval> {
    return 'gone';
  }

  start(run: RunSpecification, signal: AbortSignal): Promise<RunHandle> {
    return this.runs.start(run, signal, (paths) => this.#start(run, paths, signal));
  }

  async #start(run: RunSpecification, paths: RunPaths, signal: AbortSignal): Promise<void> {
    const { groups, tool, hide } = this.#options;
    const entries = systemEntries();
    const steps = planMounts(run, {
      entries,
      hidden: hiddenInside([...hide, this.#options.stateDirectory], entries),
      kernelDirectories: kernelDirectories(),
      nameServers: nameServerFile(),
      temporary: paths.temporary,
      isFile: (source) => statSync(source).isFile(),
    });
    const user = await this.runs.userFor(run.directory);
    await makeMountPoints(run, user);
    const environment = { PATH: path, ...run.environment, HOME: `/${run.uuid}`, CODALAB: 'true' };
    const dataLimit = groups ? 0 : run.memory;
    const cpuset = groups ? [] : run.cpuset;
    writeRecord(paths, {
      uuid: run.uuid,
      epoch: run.epoch,
      network: run.network,
      startedAt: Date.now(),
      command: { environment, user: user ?? null, cpuset: [...cpuset], dataLimit },
    });
    chmodSync(paths.temporary, 0o1777);
    const name = recordName(run.uuid, run.epoch);
    const processes = this.#options.processLimit ?? 32_768;
    if (groups) {
      createRunGroup(groups, name, { memory: run.memory, cpuset: run.cpuset, processes });
    }
    const shell = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
    const staged = stagedCommand([shell, '-c', runScript(run.command)], {
      directory: `/${run.uuid}`,
      environment,
      dataLimit,
      processLimit: groups ? 0 : processes,
      counted: groups !== undefined,
    });
    const command = tool.command({
      steps,
      network: run.network,
      root: paths.root,
      user,
      command: [...pinnedTo(cpuset), ...staged],
    });
    const joined = groups ? joiningFilesOf(groups, name) : [];
    await this.runs.supervise(run, { paths, groups: joined, command }, signal);
  }

  async exec(handle: RunHandle, request: ExecRequest): Promise<ExecSession> {
    const { groups, tool } = this.#options;
    if (!canEnter(tool)) {
      throw new RuntimeError(`Commands cannot be started in this run: ${whyNoEntry}`, { userError: false });
    }
    return execInRun(handle, this.runs.paths(handle), groups, request);
  }
}

function describe(options: SandboxRuntimeOptions): string {
  return [
    `Sandbox on this system (${options.tool.description}); no images`,
    'runs with network access share the network of this host',
    ...(canEnter(options.tool) ? [] : [whyNoEntry]),
    ...(options.groups
      ? []
      : ['no control groups, so that memory is limited for each process, not for a run']),
  ]
    .join('; ')
    .concat('.');
}
