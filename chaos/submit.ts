/** Hands the planned runs to the server, and kills those that are to be killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from './random.ts';
import type { Owner } from './owners.ts';
import { Refused, type Rest } from './rest.ts';
import type { PlannedRun } from './workload.ts';

/** As the original client sends them, every one. */
const everyKey = {
  description: '',
  tags: [],
  allow_failed_dependencies: false,
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

/**
 * Says it until the server has it: the uuid is ours, so that a second time cannot make a second run.
 * @param image what to execute it in; empty for none
 */
export async function submit(
  { rest, worksheet }: Owner,
  run: PlannedRun,
  all: readonly PlannedRun[],
  image: string,
): Promise<void> {
  const dependencies = run.parents.map((number) => ({
    parent_uuid: all[number]?.uuid ?? '',
    parent_path: '',
    child_path: `p${number}`,
  }));
  const attributes = {
    uuid: run.uuid,
    bundle_type: 'run',
    command: run.command,
    metadata: { ...everyKey, request_docker_image: image, name: `run-${run.number}`, ...run.metadata },
    dependencies,
  };
  try {
    await rest.ask('POST', `/bundles?worksheet=${worksheet}`, {
      data: [{ type: 'bundles', id: run.uuid, attributes }],
    });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Whoever said it twice is told that it is taken; whether it is, the server knows.
    await rest.ask('GET', `/bundles/${run.uuid}`).catch(() => {
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
