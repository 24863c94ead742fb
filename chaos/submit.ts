/** Hands the planned runs to the server, and kills those that are to be killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from './random.ts';
import { Refused, type Rest } from './rest.ts';
import type { PlannedRun } from './workload.ts';

/** As the original client sends them, every one. */
const everyKey = {
  description: '',
  tags: [],
  allow_failed_dependencies: false,
  request_docker_image: '',
  request_time: '',
  request_memory: '',
  request_disk: '',
  request_cpus: 1,
  request_gpus: 0,
  request_queue: '',
  request_priority: 0,
  request_network: false,
  exclude_patterns: [],
  store: '',
};

/** Says it until the server has it: the uuid is ours, so that a second time cannot make a second run. */
export async function submit(rest: Rest, worksheet: string, run: PlannedRun, all: readonly PlannedRun[]) {
  const dependencies = run.parents.map((number) => ({
    parent_uuid: all[number]?.uuid ?? '',
    parent_path: '',
    child_path: `p${number}`,
  }));
  const attributes = {
    uuid: run.uuid,
    bundle_type: 'run',
    command: run.command,
    metadata: { ...everyKey, name: `run-${run.number}`, ...run.metadata },
    dependencies,
  };
  try {
    await rest.ask('POST', `/bundles?worksheet=${worksheet}`, {
      data: [{ type: 'bundles', id: run.uuid, attributes }],
    });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Whoever said it twice is told that it is taken; whether it is, the server knows.
    await rest.bundle(run.uuid).catch(() => {
      throw error;
    });
  }
}

/** Kills the run at some moment of its life. Whether it was in time shows at the end. */
export async function killSometime(rest: Rest, run: PlannedRun, chance: Chance): Promise<void> {
  await sleep(chance.between(0, 15_000));
  try {
    await rest.ask('POST', '/bundle-actions', {
      data: [{ type: 'bundle-actions', attributes: { type: 'kill', uuid: run.uuid } }],
    });
  } catch (error) {
    // It was dead already: by this very kill, said a second time.
    if (!(error instanceof Refused)) throw error;
  }
}
