/* Containers with the settings of ours, made by asking the engine directly. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineCall, templateOf } from './engine.ts';
import type { Client, Direct } from './true-runs.ts';

/** @param socketPath of an engine that speaks Docker's API */
export function containersOf(socketPath: string) {
  return async (client: Client, image: string): Promise<Direct> => {
    const { template: whole, worker } = await templateOf(socketPath, client, image);
    const { HostConfig, ...template } = whole;
    const call = (method: string, path: string, body?: unknown) => engineCall(socketPath, method, path, body);

    return {
      words: 'the engine, create + start + wait + remove of the same container',
      async execute(slot) {
        const directory = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
        const settings = {
          ...(HostConfig as object),
          Binds: [`${directory}:/directory`],
          CpusetCpus: String(slot),
        };
        const created = await call('POST', '/containers/create', { ...template, HostConfig: settings });
        const { Id } = created as { Id: string };
        await call('POST', `/containers/${Id}/start`);
        await call('POST', `/containers/${Id}/wait`);
        await call('DELETE', `/containers/${Id}?force=1&v=1`);
        rmSync(directory, { recursive: true });
      },
      async cleared() {
        const filters = encodeURIComponent(JSON.stringify({ label: [`sheaf.worker=${worker}`] }));
        while (((await call('GET', `/containers/json?all=1&filters=${filters}`)) as []).length > 0) {
          await sleep(20);
        }
      },
      close: () => Promise.resolve(),
    };
  };
}
