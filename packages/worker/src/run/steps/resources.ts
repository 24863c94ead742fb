/** Gets processors, GPUs and a slot for a run; it waits for them as long as it takes (execution.md §17.2). */
import type { Attempt } from '../tools.ts';

export async function waitForResources(attempt: Attempt, say: (status: string) => void): Promise<void> {
  const { run, tools, signal } = attempt;
  const { cpus, gpus } = run.record.message.resources;
  const request = { cpus, gpus };
  let allocation = tools.resources.tryAcquire(run.uuid, request);
  if (allocation === undefined) {
    say('Waiting for processors or GPUs that other runs use');
    allocation = await tools.resources.acquire(run.uuid, request, signal);
    say('');
  }
  run.record.allocation = { cpus: [...allocation.cpus], gpus: [...allocation.gpus] };
}
