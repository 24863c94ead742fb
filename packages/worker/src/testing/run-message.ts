/** Messages for tests. */
import type { RunDependency, RunMessage, RunResources } from '@sheaf/wire';

export interface RunWish {
  readonly uuid?: string;
  readonly command?: string;
  readonly epoch?: number;
  readonly dependencies?: readonly (Pick<RunDependency, 'parent_uuid' | 'child_path' | 'entry'> & {
    parent_path?: string;
  })[];
  readonly excludePatterns?: readonly string[];
  readonly resources?: Partial<RunResources>;
}

export const aRun = `0x${'a'.repeat(32)}`;

export function runMessageFor(wish: RunWish = {}): RunMessage {
  const uuid = wish.uuid ?? aRun;
  return {
    type: 'run',
    epoch: wish.epoch ?? 1,
    bundle: {
      uuid,
      bundle_type: 'run',
      owner_id: '1',
      command: wish.command ?? 'echo hello',
      state: 'starting',
      frozen: null,
      is_anonymous: false,
      args: '',
      location: null,
      metadata: { exclude_patterns: [...(wish.excludePatterns ?? [])], store: '' },
      dependencies: (wish.dependencies ?? []).map(({ parent_path = '', ...dependency }) => ({
        parent_name: 'parent',
        child_uuid: uuid,
        parent_path,
        location: null,
        ...dependency,
      })),
    },
    resources: {
      cpus: 1,
      gpus: 0,
      docker_image: 'image:1',
      time: 0,
      memory: 1 << 30,
      disk: 0,
      network: true,
      tag: null,
      tag_exclusive: false,
      runs_left: null,
      image_requested: true,
      ...wish.resources,
    },
  };
}
