/* Workers as jobs of a real Slurm: started for runs that wait, found again, given back (execution.md §27). */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  describeWith,
  eventually,
  requireSlurm,
  startProcess,
  type Slurm,
  type StartedProcess,
} from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { Person } from '../support/people.ts';
import { root } from '../support/programs.ts';

describeWith('Slurm pools', [requireSlurm], () => {
  let slurm: Slurm;
  let installation: Installation;
  let passwordFile: string;
  let managers: StartedProcess[] = [];

  beforeAll(async () => {
    slurm = await requireSlurm();
    installation = new Installation('sandbox');
    await installation.startServer();
    passwordFile = join(installation.home, 'password');
    const account = JSON.parse(
      readFileSync(join(installation.home, 'administrator.json'), 'utf8'),
    ) as Account;
    writeFileSync(passwordFile, `${account.username}\n${account.password}\n`, { mode: 0o600 });
  });
  afterEach(async () => {
    for (const manager of managers) await manager.stop('SIGKILL');
    managers = [];
    await slurm.call('scancel', `--partition=${slurm.partition}`);
    await eventually('an empty queue', async () => (await jobs('')).every(({ live }) => !live) || undefined);
  });
  afterAll(async () => {
    await slurm?.stop();
    await installation?.stop();
  });

  /** The name keeps the jobs of a test apart from those of others. */
  const manager = (name: string, common: readonly string[] = [], own: readonly string[] = []) => {
    const all = `--server ${installation.url} --min-workers 0 --max-workers 3 --verbose --sleep-time 0.3 --min-seconds-between-workers 0 --worker-idle-seconds 2 --worker-tag ${name} --worker-work-dir-prefix ${installation.home} --worker-executable ${root}/bin/cl-worker`;
    const slurms = `slurm-batch --partition ${slurm.partition} --job-name ${name} --gpus 0 --account= --password-file ${passwordFile} --slurm-work-dir ${installation.home}/slurm`;
    const child = startProcess(
      join(root, 'bin/cl-worker-manager'),
      [...all.split(' '), ...common, ...slurms.split(' '), ...own],
      {
        env: {
          PATH: process.env['PATH'],
          HOME: installation.home,
          SHEAF_RUNTIME: 'sandbox',
          ...slurm.environment,
        },
      },
    );
    managers.push(child);
    return child;
  };

  const jobs = async (name: string): Promise<Job[]> => {
    const which = name === '' ? [] : [`--name=${name}`];
    const text = await slurm.call('squeue', '--noheader', '--states=all', '--format=%i %T', ...which);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [id = '', state = ''] = line.split(' ');
        return { id, state, live: ['PENDING', 'RUNNING', 'COMPLETING', 'CONFIGURING'].includes(state) };
      });
  };
  const run = (queue: string, command: string, ...words: string[]) =>
    installation.ok('run', '--request-queue', queue, '--request-memory', '500m', ...words, command);
  const untilTold = 'until [ -s go ]; do sleep 0.1; done';
  const tell = (uuid: string) => installation.ok('write', `${uuid}/go`, 'now');
  const inState = (name: string, state: string) =>
    eventually(`a job that is ${state}`, async () => (await jobs(name)).find((job) => job.state === state));

  it('start a job for a run that waits, whose worker takes it, and ends when nothing is left to do', async () => {
    manager('first', [], ['--cpus', '2', '--memory-mb', '1024']);
    const uuid = await run('first', 'nproc', '--request-cpus', '2');

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('2');
    await inState('first', 'COMPLETED');
    expect(await jobs('first')).toHaveLength(1);
  });

  it('execute the runs of an ordinary user for that user only', async () => {
    const alice = await Person.join(installation, 'alice');
    const { username, password } = JSON.parse(readFileSync(alice.credentials, 'utf8')) as Account;
    const file = join(installation.home, 'alice');
    writeFileSync(file, `${username}\n${password}\n`, { mode: 0o600 });
    const theirs = await run('own', 'true');
    const once = manager('own', ['--once'], ['--password-file', file]);
    expect((await once.ended).code).toBe(0);
    expect(await jobs('own')).toEqual([]);

    const hers = await alice.ok('run', '--request-queue', 'own', '--request-memory', '500m', 'true');
    manager('own', [], ['--password-file', file]);

    expect((await installation.finished(hers)).state).toBe('ready');
    expect((await installation.bundle(theirs)).state).toBe('staged');
    expect(await jobs('own')).toHaveLength(1);
    await installation.ok('kill', theirs);
  });

  it('start none that could not take what waits', async () => {
    await run('other', 'true');
    await run('picky', 'true', '--request-cpus', '2');
    await run('picky', 'true', '--request-gpus', '1');
    await run('picky', 'true', '--request-memory', '2g');

    const once = manager('picky', ['--once'], ['--memory-mb', '1024']);

    expect((await once.ended).code).toBe(0);
    expect(once.output).toContain('no run waits that a new worker could take');
    expect(await jobs('picky')).toEqual([]);
  });

  it('find their jobs again: killed and started anew they start no second one', async () => {
    await slurm.setNode('down');
    const uuid = await run('again', 'true');
    const first = manager('again');
    await inState('again', 'PENDING');
    first.kill('SIGKILL');
    await first.ended;

    for (const common of [['--once'], ['--once', '--min-workers', '1']]) {
      expect((await manager('again', common).ended).code).toBe(0);
    }
    expect(await jobs('again')).toHaveLength(1);

    await slurm.setNode('resume');
    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await jobs('again')).toHaveLength(1);
  });

  it('start another job for a run whose job was cancelled', async () => {
    manager('taken');
    const uuid = await run('taken', untilTold);
    await installation.inState(uuid, 'running');
    const [first] = await jobs('taken');

    await slurm.call('scancel', first?.id ?? '');
    await eventually('a second job', async () => ((await jobs('taken')).length === 2 ? true : undefined));
    await installation.inState(uuid, 'running');
    await tell(uuid);

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect((await jobs('taken')).find(({ id }) => id === first?.id)?.state).toBe('CANCELLED');
    expect(await jobs('taken')).toHaveLength(2);
  });

  it('wait for a controller that is away, and start nothing for what they cannot see', async () => {
    const there = manager('away');
    const uuid = await run('away', untilTold);
    await installation.inState(uuid, 'running');

    await slurm.stopController();
    await run('away', 'true');
    await there.waitForOutput(/Slurm \(squeue\) says: .*controller.*Trying again/);
    await slurm.startController();
    await eventually('a second job', async () => ((await jobs('away')).length === 2 ? true : undefined));
    await tell(uuid);

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await jobs('away')).toHaveLength(2);
  });

  it('withdraw a job that has not started when its run is gone', async () => {
    await slurm.setNode('down');
    const there = manager('gone');
    const uuid = await run('gone', 'true');
    await inState('gone', 'PENDING');

    await installation.ok('kill', uuid);

    await there.waitForOutput(/Withdrew job \d+/);
    await inState('gone', 'CANCELLED');
    await slurm.setNode('resume');
  });

  it('end in words when more jobs fail than they may', async () => {
    const broken = join(installation.home, 'broken-worker');
    mkdirSync(installation.home, { recursive: true });
    writeFileSync(broken, '#!/bin/sh\necho no engine here >&2\nexit 1\n');
    chmodSync(broken, 0o755);
    const uuid = await run('broken', 'true');

    const there = manager('broken', ['--worker-executable', broken], ['--exit-after-num-failed', '0']);

    expect((await there.ended).code).toBe(1);
    expect(there.output).toMatch(/1 jobs have failed.*FAILED.*last words "no engine here"/);
    await installation.ok('kill', uuid);
    rmSync(broken);
  });
});

interface Account {
  readonly username: string;
  readonly password: string;
}

interface Job {
  readonly id: string;
  readonly state: string;
  readonly live: boolean;
}
