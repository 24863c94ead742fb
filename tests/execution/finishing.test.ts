/* From the end of a command to the final state: what is sent, how long it is tried, and what a failure in between costs. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type Fate } from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FaultyLine, transfers } from '../support/faulty-line.ts';
import { end, type Installation } from '../support/installation.ts';
import { accountOf } from '../support/people.ts';

let far: FaultyLine;
let installation: Installation;
beforeAll(async () => {
  far = await FaultyLine.start();
  ({ installation } = far);
});
afterEach(() => far.repair());
afterAll(() => far.stop());

/** Bytes that no earlier run of these tests has sent. */
let seed = 0;
const fresh = (bytes: number) => {
  seed += 1;
  return `yes sheaf-${seed} | head -c ${bytes}`;
};

describe('what is stored', () => {
  const names = async (uuid: string) => {
    const document = await installation.api<{ data: { contents: { name: string }[] } }>(
      'GET',
      `/bundles/${uuid}/contents/info/?depth=1`,
    );
    return document.data.contents.map(({ name }) => name).toSorted();
  };
  const write =
    'echo hi > hi.txt; echo bye > bye.txt; echo goodbye > goodbye.txt; mkdir -p d/bye; echo x > d/bye/x.txt';

  it('everything without patterns', async () => {
    const uuid = await installation.ok('run', write);
    await installation.finished(uuid);

    expect(await names(uuid)).toEqual(['bye.txt', 'd', 'goodbye.txt', 'hi.txt', 'stderr', 'stdout']);
  });

  it('all but what a pattern matches, at any depth', async () => {
    const uuid = await installation.ok('run', write, '--exclude-patterns', '*bye*.txt');
    await installation.finished(uuid);

    // `*` stands for a slash as well, as it does for tar: d/bye/x.txt matches, and its empty directory stays.
    expect(await names(uuid)).toEqual(['d', 'hi.txt', 'stderr', 'stdout']);
    expect((await installation.cl(['cat', `${uuid}/d/bye/x.txt`])).code).toBe(1);
  });

  it('several patterns: names, components, and hidden files', async () => {
    const uuid = await installation.ok(
      'run',
      `${write}; touch .hidden`,
      '--exclude-patterns',
      'bye',
      '.*',
      'goodbye.txt',
      './hi.txt',
    );
    await installation.finished(uuid);

    expect(await names(uuid)).toEqual(['bye.txt', 'd', 'stderr', 'stdout']);
    expect((await installation.cl(['cat', `${uuid}/d/bye/x.txt`])).code).toBe(1);
  });

  it('what the server has of this user already does not travel again', async () => {
    const large = `${fresh(20_000_000)} > large`;
    const first = await installation.ok('run', large);
    await installation.finished(first);
    const sent = far.line.bytesTo(transfers);
    expect(sent).toBeGreaterThan(20_000_000);

    const second = await installation.ok('run', `${large}; echo again`);
    const bundle = await installation.finished(second);

    expect(bundle.metadata['data_size']).toBe(20_000_000 + 'again\n'.length);
    expect(far.line.bytesTo(transfers) - sent).toBeLessThan(10_000);
  });

  it('how long each stage took, and the space in the same moment as the final state', async () => {
    const { id } = await installation.api<{ data: { id: string } }>('GET', '/user').then(({ data }) => data);
    const before = (await accountOf(installation, id)).disk_used;

    const uuid = await installation.ok('run', `${fresh(1_000_000)} > file`);
    const bundle = await installation.finished(uuid);

    expect((await accountOf(installation, id)).disk_used).toBe(before + 1_000_000);
    expect(bundle.metadata['data_size']).toBe(1_000_000);
    for (const stage of ['preparing', 'running', 'cleaning_up', 'uploading_results']) {
      expect(bundle.metadata[`time_${stage}`], stage).toBeGreaterThan(0);
    }
    await installation.ok('rm', uuid);
    expect((await accountOf(installation, id)).disk_used).toBe(before);
  });
});

describe('while the results cannot be sent', () => {
  const faults: readonly { title: string; fate: Fate; says: RegExp }[] = [
    { title: 'the server answers 500', fate: { status: 500 }, says: /waiting to try again/ },
    { title: 'a proxy answers 503', fate: { status: 503, body: '<html>' }, says: /waiting to try again/ },
    { title: 'the connection breaks', fate: 'break', says: /waiting to try again/ },
    { title: 'the answer gets lost', fate: 'lose the answer', says: /waiting to try again/ },
    { title: 'nothing is ever answered', fate: 'hang', says: /Uploading results/ },
    { title: 'the line goes dead in the middle', fate: { stallAfter: 100_000 }, says: /Uploading results/ },
  ];
  it.each(faults)(
    'because $title, the run is running and says so; then they arrive',
    async ({ fate, says }) => {
      const uuid = await far.running(`${fresh(3_000_000)} > result; echo all`);
      far.results(fate);
      far.go(uuid);
      await far.says(uuid, says);
      far.repair();

      const bundle = await installation.finished(uuid);
      expect(bundle.state).toBe('ready');
      expect(bundle.metadata['failure_message']).toBeUndefined();
      expect(bundle.metadata['data_size']).toBe(3_000_004);
      expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('all');
    },
  );

  it('because the server is not there at all', async () => {
    const uuid = await far.running('echo patience');
    await end(installation.server, 'SIGKILL');
    far.go(uuid);
    await eventually('an attempt', () =>
      far.worker.log.includes('the results are sent again later') ? true : undefined,
    );
    await installation.startServer();

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('patience');
  });
});

describe('killed with -9 in the middle of the results', () => {
  const kills: Record<string, () => Promise<void>> = {
    'the server': async () => {
      await end(installation.server, 'SIGKILL');
      far.repair();
      await installation.startServer();
    },
    'the worker': async () => {
      await far.worker.end('SIGKILL');
      far.repair();
      await far.worker.start();
    },
    both: async () => {
      await Promise.all([far.worker.end('SIGKILL'), end(installation.server, 'SIGKILL')]);
      far.repair();
      await installation.startServer();
      await far.worker.start();
    },
  };
  it.each(Object.keys(kills))('%s: nothing is lost, nothing is there twice', async (who) => {
    const uuid = await far.running(`${fresh(12_000_000)} > result; echo all`);
    far.results({ stallAfter: 5_000_000 });
    far.go(uuid);
    await far.stuck();

    await kills[who]?.();

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('ready');
    expect(bundle.metadata['data_size']).toBe(12_000_004);
    expect(bundle.metadata['remote_history']).toHaveLength(1);
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('all');
    const [line] = (await installation.ok('cat', `${uuid}/result`)).split('\n', 1);
    expect(line).toBe(`sheaf-${seed}`);
  });
});

describe('after the last word', () => {
  it('results that the server refuses fail the run, and are kept on the worker for a while', async () => {
    const uuid = await far.running('echo precious > result');
    far.results({ status: 403, body: 'We do not want this.' });
    far.go(uuid);

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('failed');
    expect(bundle.metadata['failure_message']).toBe('Error while uploading: We do not want this.');
    const kept = join(far.worker.directory, 'unsent', uuid);
    await eventually('the run directory to be put aside', () =>
      existsSync(far.worker.runDirectory(uuid)) ? undefined : true,
    );
    expect(readFileSync(join(kept, 'result'), 'utf8')).toBe('precious\n');
    expect(far.worker.log).toContain(kept);

    // Also over the end of the worker.
    await far.worker.end();
    await far.worker.start();
    expect(existsSync(join(kept, 'result'))).toBe(true);
  });

  it('a report of the end that gets lost is said again, and the end counts once', async () => {
    const uuid = await far.running('echo once');
    let lost = 0;
    far.line.fate = ({ path }) => {
      if (
        lost >= 3 ||
        !/\/(report|checkin)$/.test(path) ||
        !far.line.passed.some((one) => one.path.includes(uuid) && transfers.test(one.path))
      )
        return 'pass';
      lost += 1;
      return 'lose the answer';
    };
    far.go(uuid);

    expect((await installation.finished(uuid)).state).toBe('ready');
    await eventually('the worker to let go of the run', () =>
      existsSync(far.worker.runDirectory(uuid)) ? undefined : true,
    );
    expect(lost).toBeGreaterThan(0);
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('once');
  });
});
