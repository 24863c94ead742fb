import { BatchClient } from '@aws-sdk/client-batch';
import { ScriptedAwsBatch, ScriptedAzureBatch } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsPool } from '../aws-batch/aws-pool.ts';
import { AzureClient } from '../azure-batch/client.ts';
import { AzurePool } from '../azure-batch/azure-pool.ts';
import { systemClock } from '../clock.ts';
import type { Pool } from '../pool.ts';
import { typeFlags } from '../open-pool.ts';
import { parseCommandLine } from './command-line.ts';
import { poolKey } from './pool-key.ts';
import { readSettings, type Settings } from './settings.ts';

const common = {
  size: { cpus: 1, gpus: 0, memoryMegabytes: 100 },
  user: 'root',
  image: 'worker',
  shared: { mount: undefined, flags: [] },
};
let aws: ScriptedAwsBatch;
let azure: ScriptedAzureBatch;
beforeAll(async () => {
  [aws, azure] = await Promise.all([ScriptedAwsBatch.start(), ScriptedAzureBatch.start()]);
  aws.setRoom(false);
  azure.setRoom(false);
});
afterAll(() => Promise.all([aws.stop(), azure.stop()]));

function awsPool(settings: Settings): Pool {
  const credentials = { accessKeyId: aws.accessKey, secretAccessKey: 'secret' };
  const client = new BatchClient({ region: 'us-east-1', endpoint: aws.url, credentials });
  return new AwsPool(
    client,
    settings,
    { ...common, queue: 'q', definition: 'd', filter: /^.*$/ },
    systemClock,
  );
}

function azurePool(settings: Settings): Pool {
  const client = new AzureClient({ name: azure.account, key: azure.key, url: azure.url });
  return new AzurePool(client, settings, { ...common, job: azure.job, logContainer: 'https://logs' });
}

describe.each([
  ['AWS Batch', awsPool],
  ['Azure Batch', azurePool],
])('%s', (_, open) => {
  it("two pools on one queue do not take each other's jobs for their own, and a stranger's for nobody's", async () => {
    const [one, other] = ['one', 'other'].map((tag) => {
      const words = ['--worker-tag', tag, 'aws-batch'];
      const settings = readSettings(parseCommandLine(words, typeFlags));
      return { pool: open(settings), id: `${poolKey(settings)}${'0'.repeat(12)}` };
    });
    const account = { username: 'me', password: 'secret' };
    await one?.pool.start({ id: one.id, ...account });
    await other?.pool.start({ id: other.id, ...account });
    await one?.pool.start({ id: 'training', ...account });

    const ids = async (pool: Pool | undefined) => (await pool?.list())?.map(({ workerId }) => workerId);
    expect(await ids(one?.pool)).toEqual([one?.id, undefined]);
    expect(await ids(other?.pool)).toEqual([other?.id, undefined]);
  });
});
