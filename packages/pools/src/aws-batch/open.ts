/** From the command line to a pool of AWS Batch jobs. */
import { BatchClient } from '@aws-sdk/client-batch';
import { systemClock } from '../clock.ts';
import type { OpenedPool } from '../open-pool.ts';
import type { CommandLine } from '../settings/command-line.ts';
import { poolKey } from '../settings/pool-key.ts';
import type { Settings } from '../settings/settings.ts';
import { sharedContentsOf } from '../settings/shared-contents.ts';
import { sizeOf } from '../settings/size.ts';
import { StartProblem } from '../settings/start-problem.ts';
import { neededTextOf, textOf } from '../settings/values.ts';
import { workerImageOf } from '../settings/worker-image.ts';
import { AwsPool } from './aws-pool.ts';

/** @throws StartProblem */
export function openAwsBatch(
  line: CommandLine,
  settings: Settings,
  environment: NodeJS.ProcessEnv,
): OpenedPool {
  const size = sizeOf(line);
  const aws = {
    queue: neededTextOf(line, 'job-queue'),
    definition: neededTextOf(line, 'job-definition-name'),
    filter: filterOf(textOf(line, 'job-filter')),
    user: neededTextOf(line, 'user'),
    image: workerImageOf(line, environment),
    shared: sharedContentsOf(environment),
    size,
  };
  const client = new BatchClient({ region: neededTextOf(line, 'region') });
  return {
    pool: new AwsPool(client, settings, aws, systemClock),
    size: { cpus: size.cpus, gpus: size.gpus, memory: size.memoryMegabytes * 1024 ** 2 },
    idPrefix: poolKey(settings),
  };
}

function filterOf(text: string | null): RegExp {
  try {
    return new RegExp(`^(?:${text ?? '.*'})$`);
  } catch (error) {
    throw new StartProblem(`--job-filter ${text ?? ''} is no regular expression.`, { cause: error });
  }
}
