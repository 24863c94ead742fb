/** The message that gives a run to a worker (execution.md §5.1). */
import { completeMetadata, recreatingArguments, type Metadata, type ResourceRequest } from '@sheaf/domain';
import type { Entry } from '@sheaf/trees';
import type { MetadataValue, RunDependency, RunMessage } from '@sheaf/wire';
import type { BundleRow } from '../bundles/transition.ts';

export interface MessageDependency {
  readonly child_path: string;
  readonly parent_uuid: string;
  readonly parent_path: string;
  /** Null where there is no such bundle any more. */
  readonly parent_name: string | null;
  /** What it stands for, where that is known already. */
  readonly entry: Entry | undefined;
}

export function runMessage(
  run: BundleRow,
  metadata: Metadata,
  request: ResourceRequest,
  dependencies: readonly MessageDependency[],
): RunMessage {
  const complete = completeMetadata('run', metadata);
  return {
    type: 'run',
    epoch: run.epoch,
    bundle: {
      uuid: run.uuid,
      bundle_type: 'run',
      owner_id: run.owner_id ?? '',
      command: run.command ?? '',
      state: run.state,
      frozen: null,
      is_anonymous: run.is_anonymous === 1,
      args: recreatingArguments({ type: 'run', command: run.command, dependencies, metadata }) ?? '',
      location: null,
      metadata: {
        ...complete,
        exclude_patterns: textsOf(complete['exclude_patterns']),
        store: typeof complete['store'] === 'string' ? complete['store'] : '',
      },
      dependencies: dependencies.map((dependency): RunDependency => ({
        parent_uuid: dependency.parent_uuid,
        parent_name: dependency.parent_name ?? dependency.parent_uuid,
        parent_path: dependency.parent_path,
        child_uuid: run.uuid,
        child_path: dependency.child_path,
        location: null,
        ...(dependency.entry === undefined ? {} : { entry: dependency.entry }),
      })),
    },
    resources: {
      cpus: request.cpus,
      gpus: request.gpus,
      docker_image: request.image,
      time: request.time,
      memory: request.memory,
      disk: request.disk,
      network: request.network,
      tag: request.queue,
      tag_exclusive: false,
      runs_left: null,
      image_requested: request.imageRequested,
      ...(request.sharedMemory === undefined ? {} : { shared_memory: request.sharedMemory }),
    },
  };
}

function textsOf(value: MetadataValue | undefined): string[] {
  return Array.isArray(value) ? value : [];
}
