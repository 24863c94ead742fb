/* Workers as jobs of AWS Batch and Azure Batch: real managers and workers, before servers that speak their protocols. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  eventually,
  ScriptedAwsBatch,
  ScriptedAzureBatch,
  startProcess,
  type StartedProcess,
} from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root } from '../support/programs.ts';

describe('pools of clouds', () => {
  let installation: Installation;
  let aws: ScriptedAwsBatch;
  let azure: ScriptedAzureBatch;
  let managers: StartedProcess[] = [];
  beforeAll(async () => {
    installation = new Installation('sandbox');
    await installation.startServer();
    [aws, azure] = await Promise.all([ScriptedAwsBatch.start(), ScriptedAzureBatch.start()]);
  });
  afterEach(async () => {
    for (const manager of managers) await manager.stop('SIGKILL');
    managers = [];
  });
  afterAll(async () => {
    await Promise.all([aws?.stop(), azure?.stop()]);
    await installation?.stop();
  });

  const manager = (tag: string, common: string, own: readonly string[]) => {
    const account = readFileSync(join(installation.home, 'administrator.json'), 'utf8');
    const { username, password } = JSON.parse(account) as Record<string, string>;
    // What an image would bring.
    const executable = join(root, 'tests/pools/worker-of-image.sh');
    const all = `--server ${installation.url} --min-workers 0 --verbose --sleep-time 0.3 --min-seconds-between-workers 0 --worker-idle-seconds 1 --worker-tag ${tag} --worker-work-dir-prefix ${installation.home} --worker-executable ${executable} ${common}`;
    const child = startProcess(join(root, 'bin/cl-worker-manager'), [...all.trim().split(/ +/), ...own], {
      env: {
        PATH: process.env['PATH'],
        HOME: installation.home,
        CODALAB_USERNAME: username,
        CODALAB_PASSWORD: password,
        AWS_ACCESS_KEY_ID: aws.accessKey,
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_ENDPOINT_URL: aws.url,
      },
    });
    managers.push(child);
    return child;
  };
  const clouds = [
    {
      cloud: 'AWS Batch',
      tag: 'aws',
      words: () => [
        'aws-batch',
        '--memory-mb',
        '1024',
        '--job-queue',
        'queue',
        '--job-filter',
        'cl_worker_.*',
      ],
      setRoom: (open: boolean) => aws.setRoom(open),
      states: () => aws.jobs.map(({ status }) => status),
      ended: 'SUCCEEDED',
      badKey: ['aws-batch', '--job-filter', '('],
      refusal: /--job-filter \( is no regular expression/,
    },
    {
      cloud: 'Azure Batch',
      tag: 'azure',
      words: () => {
        const { account, key, url, job } = azure;
        const logs = 'https://logs.example.org/c?sig=1';
        return `azure-batch --account-name ${account} --account-key ${key} --service-url ${url} --job-id ${job} --log-container-url ${logs} --memory-mb 1024`.split(
          ' ',
        );
      },
      setRoom: (open: boolean) => azure.setRoom(open),
      states: () => azure.tasks.map(({ state }) => state),
      ended: 'completed',
      badKey: undefined,
      refusal: /Server failed to authenticate the request. Check --account-name/,
    },
  ];

  it.each(clouds)(
    '$cloud: a run that waits gets a worker, which is found again and ends when idle',
    async (one) => {
      one.setRoom(false);
      const uuid = await installation.ok(
        'run',
        '--request-queue',
        one.tag,
        '--request-memory',
        '500m',
        'echo $((6*7))',
      );
      const first = manager(one.tag, '', one.words());
      await first.waitForOutput(/Started job/);
      first.kill('SIGKILL');
      await first.ended;
      expect((await manager(one.tag, '--once', one.words()).ended).code).toBe(0);
      expect(one.states()).toHaveLength(1);

      one.setRoom(true);

      expect((await installation.finished(uuid)).state).toBe('ready');
      expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('42');
      await eventually('the end of the worker', () => one.states().includes(one.ended) || undefined);
    },
  );

  it.each(clouds)('$cloud: one that has not started is withdrawn when its run is gone', async (one) => {
    const before = one.states().length;
    one.setRoom(false);
    const uuid = await installation.ok('run', '--request-queue', one.tag, 'true', '--request-memory', '500m');
    const there = manager(one.tag, '', one.words());
    await there.waitForOutput(/Started job/);
    expect(one.states()).toHaveLength(before + 1);

    await installation.ok('kill', uuid);

    await there.waitForOutput(/Withdrew job/);
    expect(one.states().some((state) => state === 'RUNNABLE' || state === 'active')).toBe(false);
    one.setRoom(true);
  });

  it.each(clouds)('$cloud: what is wrong is said in words', async (one) => {
    const wrong = one.badKey ?? one.words().map((word) => (word === azure.key ? 'd3Jvbmc=' : word));
    const child = manager(one.tag, '--once', wrong);

    expect((await child.ended).code).toBe(1);
    expect(child.output).toMatch(one.refusal);
  });
});
