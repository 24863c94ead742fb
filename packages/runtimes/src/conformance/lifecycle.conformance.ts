/** The life of a run, the same on every runtime, the scripted one included. */
import { describe, expect, it } from 'vitest';
import type { RunHandle, RunStatistics } from '../port.ts';
import { benchFor, never, type RuntimeHarness } from './bench.conformance.ts';

/** From the start to the last trace. The commands are those that a scripted runtime knows too. */
export function testLifecycle(harness: RuntimeHarness): void {
  const bench = benchFor(harness);

  describe('the life of a run', () => {
    it('writes its output into its directory', async () => {
      const { exit, stdout, stderr } = await bench.run('echo hello');

      expect(exit).toMatchObject({ exitCode: 0, outOfMemory: false, message: null });
      expect(stdout).toBe('hello\n');
      expect(stderr).toBe('');
    });

    it('says when it started and ended', async () => {
      const before = Date.now();
      const { exit } = await bench.run('true');
      const after = Date.now();

      expect(exit.startedAt).toBeGreaterThanOrEqual(before - 1000);
      expect(exit.finishedAt).toBeGreaterThanOrEqual(exit.startedAt ?? Infinity);
      expect(exit.finishedAt).toBeLessThanOrEqual(after + 1000);
    });

    it.each([0, 1, 3, 127])('hands on exit status %i', async (code) => {
      const { exit } = await bench.run(`exit ${code}`);

      expect(exit).toMatchObject({ exitCode: code, outOfMemory: false });
    });

    it('has no message where it only failed', async () => {
      expect((await bench.run('exit 3')).exit.message).toBeNull();
    });

    it('dies when it is stopped', async () => {
      const specification = await bench.specification('echo up\nsleep 600');
      const handle = await bench.start(specification);
      await bench.untilSays(specification, 'up');

      await bench.runtime.stop(handle);
      const exit = await bench.runtime.wait(handle, never);

      expect(exit).toMatchObject({ exitCode: 137, outOfMemory: false });
      expect(await bench.runtime.statistics(handle)).toBeUndefined();
    });

    it('may be stopped when it has ended', async () => {
      const { handle } = await bench.run('exit 5');

      await bench.runtime.stop(handle);

      expect(await bench.runtime.wait(handle, never)).toMatchObject({ exitCode: 5 });
    });

    it('may be destroyed twice, and running', async () => {
      const handle = await bench.start(await bench.specification('sleep 600'));

      await bench.runtime.destroy(handle);
      await bench.runtime.destroy(handle);

      expect(await bench.runtime.recover(handle)).toBeUndefined();
      expect(await bench.runtime.list()).toEqual([]);
    });

    it('ends for those who wait when it is destroyed', async () => {
      const specification = await bench.specification('echo up\nsleep 600');
      const handle = await bench.start(specification);
      await bench.untilSays(specification, 'up');
      const exit = bench.runtime.wait(handle, never);

      await bench.runtime.destroy(handle);

      expect([137, null]).toContain((await exit).exitCode);
    });

    it('leaves the directory alone when it is destroyed', async () => {
      const { handle, specification } = await bench.run('echo kept');

      await bench.runtime.destroy(handle);

      expect((await bench.output(specification)).stdout).toBe('kept\n');
    });

    it('can be waited for by several, and given up on', async () => {
      const handle = await bench.start(await bench.specification('sleep 0.5\nexit 4'));
      const impatient = new AbortController();
      const givenUp = bench.runtime.wait(handle, impatient.signal);
      const first = bench.runtime.wait(handle, never);
      const second = bench.runtime.wait(handle, never);

      impatient.abort(new Error('enough'));

      await expect(givenUp).rejects.toThrow('enough');
      expect(await first).toMatchObject({ exitCode: 4 });
      expect(await second).toMatchObject({ exitCode: 4 });
    });

    it('does not start when the start is given up before', async () => {
      const specification = await bench.specification('true');

      const start = bench.runtime.start(specification, AbortSignal.abort(new Error('enough')));

      await expect(start).rejects.toThrow('enough');
      expect(await bench.runtime.list()).toEqual([]);
    });

    it('leaves nothing when the start is given up on the way', async () => {
      const impatient = new AbortController();
      const start = bench.runtime.start(await bench.specification('sleep 600'), impatient.signal);

      setImmediate(() => impatient.abort(new Error('enough')));
      const outcome = await start.catch((error: unknown) => error);

      // Where it had started before anybody could hear of it, it simply runs.
      if (outcome instanceof Error) {
        expect(outcome.message).toBe('enough');
      } else {
        await bench.runtime.destroy(await start);
      }
      expect(await bench.runtime.list()).toEqual([]);
    });

    it('gives samples while it runs, and none afterwards', async () => {
      const specification = await bench.specification('echo up\nsleep 600');
      const handle = await bench.start(specification);
      await bench.untilSays(specification, 'up');

      const sample = await bench.runtime.statistics(handle);
      await bench.runtime.stop(handle);

      expect(sample?.memory).toBeGreaterThan(0);
      expect(sample?.memoryMax).toBeGreaterThanOrEqual(sample?.memory ?? Infinity);
      expect(await bench.runtime.statistics(handle)).toBeUndefined();
    });
  });

  describe('what a run has used in all', () => {
    it('is known when it has ended, until it is destroyed', async () => {
      const { handle } = await bench.run('echo a\nsleep 0.3');

      const usage = await bench.runtime.finalStatistics(handle);
      await bench.runtime.destroy(handle);

      expect((usage?.cpuUser ?? 0) + (usage?.cpuSystem ?? 0)).toBeGreaterThan(0);
      expect(await bench.runtime.finalStatistics(handle)).toBeUndefined();
    });

    it('is no less than what was seen while it ran', async () => {
      const specification = await bench.specification('echo up\nsleep 600');
      const handle = await bench.start(specification);
      await bench.untilSays(specification, 'up');
      const sample = await bench.runtime.statistics(handle);
      await bench.runtime.stop(handle);

      const usage = await bench.runtime.finalStatistics(handle);

      // Together: whose time a few milliseconds were is known only when a tick has caught them.
      const time = (used: RunStatistics | undefined) => used && used.cpuUser + used.cpuSystem;
      expect(time(usage)).toBeGreaterThanOrEqual(time(sample) ?? Infinity);
      expect(usage?.memoryMax).toBeGreaterThanOrEqual(sample?.memoryMax ?? Infinity);
    });
  });

  describe('a restarted worker', () => {
    it('finds a run that still runs, hears when it was started, and waits for it', async () => {
      const before = Date.now();
      const specification = await bench.specification('echo up\nsleep 600');
      const handle = await bench.start(specification);
      await bench.untilSays(specification, 'up');
      const after = Date.now();
      const kept = JSON.parse(JSON.stringify(handle)) as RunHandle;
      const later = await harness.open();

      expect(await later.list()).toEqual([handle]);
      const found = await later.recover(kept);
      const startedAt = found?.state === 'running' ? (found.startedAt ?? 0) : 0;
      expect(startedAt).toBeGreaterThanOrEqual(before - 1000);
      expect(startedAt).toBeLessThanOrEqual(after);
      expect((await later.statistics(kept))?.memory).toBeGreaterThan(0);
      const exit = later.wait(kept, never);
      await later.stop(kept);

      expect(await exit).toMatchObject({ exitCode: 137 });
      await later.close();
    });

    it('hears how a run ended meanwhile, and what it has used, until there is no trace of it', async () => {
      const { handle, exit } = await bench.run('exit 6');
      const later = await harness.open();
      const kept = JSON.parse(JSON.stringify(handle)) as RunHandle;

      expect(await later.recover(kept)).toEqual({ state: 'ended', exit });
      expect(await later.wait(kept, never)).toEqual(exit);
      expect(await later.finalStatistics(kept)).toBeDefined();
      await bench.runtime.destroy(handle);
      expect(await later.recover(kept)).toBeUndefined();
      expect(await later.wait(kept, never)).toMatchObject({ exitCode: null });
      await later.destroy(kept);
      await later.close();
    });

    it('starts the same attempt again where its predecessor died before it noted it down', async () => {
      const specification = await bench.specification('echo again\nexit 7');
      await bench.start({ ...specification, command: 'sleep 600' });
      const later = await harness.open();

      const handle = await later.start(specification, never);
      bench.handles.push(handle);

      expect(await later.wait(handle, never)).toMatchObject({ exitCode: 7 });
      expect(await later.list()).toHaveLength(1);
      await later.close();
    });

    it('keeps attempts of one run apart', async () => {
      const specification = await bench.specification('sleep 600');
      const first = await bench.start(specification);
      const second = await bench.start({ ...specification, epoch: 2, directory: await bench.directory() });

      await bench.runtime.destroy(first);

      expect(await bench.runtime.recover(first)).toBeUndefined();
      expect(await bench.runtime.recover(second)).toMatchObject({ state: 'running' });
      expect(await bench.runtime.list()).toEqual([second]);
    });
  });

  it('can run several at once', async () => {
    const runs = await Promise.all(
      [0, 1, 2, 3, 4].map((code) => bench.run(`echo run ${code}\nexit ${code}`)),
    );

    expect(runs.map(({ exit }) => exit.exitCode)).toEqual([0, 1, 2, 3, 4]);
    expect(runs.map(({ stdout }) => stdout)).toEqual([0, 1, 2, 3, 4].map((code) => `run ${code}\n`));
  });

  it('knows its name in its handles', async () => {
    const handle = await bench.start(await bench.specification('true'));

    expect(handle).toMatchObject({ runtime: bench.runtime.name, epoch: 1 });
  });
}
