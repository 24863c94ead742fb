/** From the command line to a pool of Azure Batch tasks. */
import type { OpenedPool } from '../open-pool.ts';
import type { CommandLine } from '../settings/command-line.ts';
import { poolKey } from '../settings/pool-key.ts';
import type { Settings } from '../settings/settings.ts';
import { sharedContentsOf } from '../settings/shared-contents.ts';
import { sizeOf } from '../settings/size.ts';
import { StartProblem } from '../settings/start-problem.ts';
import { neededTextOf } from '../settings/values.ts';
import { workerImageOf } from '../settings/worker-image.ts';
import { AzurePool } from './azure-pool.ts';
import { AzureClient } from './client.ts';

/** @throws StartProblem */
export function openAzureBatch(
  line: CommandLine,
  settings: Settings,
  environment: NodeJS.ProcessEnv,
): OpenedPool {
  const url = neededTextOf(line, 'service-url').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/?#@\s]+$/.test(url)) {
    throw new StartProblem(
      `--service-url ${url}: write an address such as https://account.westeurope.batch.azure.com.`,
    );
  }
  const size = sizeOf(line);
  const client = new AzureClient({
    name: neededTextOf(line, 'account-name'),
    key: neededTextOf(line, 'account-key'),
    url,
  });
  const azure = {
    job: neededTextOf(line, 'job-id'),
    logContainer: neededTextOf(line, 'log-container-url'),
    user: neededTextOf(line, 'user'),
    image: workerImageOf(line, environment),
    shared: sharedContentsOf(environment),
    size,
  };
  return {
    pool: new AzurePool(client, settings, azure),
    size: { cpus: size.cpus, gpus: size.gpus, memory: size.memoryMegabytes * 1024 ** 2 },
    idPrefix: poolKey(settings),
  };
}
