/** What a command may use, and how it is accounted for. */
import { expect, it } from 'vitest';
import { never, type RunBench } from './bench.conformance.ts';

export function testLimits(bench: RunBench): void {
  it('ends a run that needs more memory than it may have', async () => {
    const { exit } = await bench.run('tail /dev/zero', { memory: 40 << 20 });

    if (bench.runtime.capabilities.memoryLimit) {
      expect(exit).toMatchObject({ exitCode: 137, outOfMemory: true });
    } else {
      expect(exit.exitCode).not.toBe(0);
    }
  });

  it('lets a run have the memory it may have', async () => {
    const { exit } = await bench.run('head -c 20M /dev/zero | tail | wc -c', { memory: 200 << 20 });

    expect(exit).toMatchObject({ exitCode: 0, outOfMemory: false });
  });

  it('remembers the most memory a run had', async () => {
    const specification = await bench.specification(
      'head -c 50M /dev/zero | tail | wc -c; echo up; sleep 600',
    );
    const handle = await bench.start(specification);
    await bench.untilSays(specification, 'up');

    const sample = await bench.runtime.statistics(handle);

    if (bench.runtime.capabilities.memoryLimit) {
      expect(sample?.memoryMax).toBeGreaterThan(50 << 20);
      expect(sample?.memory).toBeLessThan(50 << 20);
    }
    expect(sample?.memory).toBeGreaterThan(0);
  });

  it('accounts for a command that nobody had the time to look at', async () => {
    const { handle } = await bench.run('i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done');

    const usage = await bench.runtime.finalStatistics(handle);

    expect((usage?.cpuUser ?? 0) + (usage?.cpuSystem ?? 0)).toBeGreaterThan(0.005);
    if (bench.runtime.capabilities.memoryLimit) {
      expect(usage?.memoryMax).toBeGreaterThan(100_000);
    }
  });

  it('knows the most memory of a command that ended at once', async () => {
    const { handle } = await bench.run('head -c 60M /dev/zero | tail | wc -c');

    const usage = await bench.runtime.finalStatistics(handle);

    if (bench.runtime.capabilities.memoryLimit) {
      expect(usage?.memoryMax).toBeGreaterThan(60 << 20);
    }
  });

  it('gives a run that is killed no more than it had', async () => {
    const { exit, handle } = await bench.run('tail /dev/zero', { memory: 40 << 20 });

    const usage = await bench.runtime.finalStatistics(handle);

    expect(exit.exitCode).not.toBe(0);
    if (bench.runtime.capabilities.memoryLimit) {
      expect(usage?.memoryMax).toBeGreaterThan(30 << 20);
    }
  });

  it('starts an interpreter in ten megabytes', async () => {
    const { exit, stdout } = await bench.run('python3 -S -c "print(6 * 7)"', { memory: 10 << 20 });

    if (bench.runtime.capabilities.memoryLimit) {
      expect({ stdout, exit }).toMatchObject({ stdout: '42\n', exit: { exitCode: 0, outOfMemory: false } });
    }
  });

  it('says so where the memory is too little to start anything', async () => {
    const specification = await bench.specification('true', { memory: 200 << 10 });

    if (bench.runtime.capabilities.memoryLimit) {
      const start = bench.runtime.start(specification, never);
      await expect(start).rejects.toThrow(/memory limit/i);
      await expect(start).rejects.toMatchObject({ userError: true });
      expect(await bench.runtime.list()).toEqual([]);
    }
  });

  it('counts processor time', async () => {
    const specification = await bench.specification(
      'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo up; sleep 600',
    );
    const handle = await bench.start(specification);
    await bench.untilSays(specification, 'up');

    const sample = await bench.runtime.statistics(handle);

    expect((sample?.cpuUser ?? 0) + (sample?.cpuSystem ?? 0)).toBeGreaterThan(0.1);
  });

  it('pins a run to its processors', async () => {
    const { stdout } = await bench.run('grep Cpus_allowed_list /proc/self/status', { cpuset: [0] });

    expect(stdout).toMatch(/^Cpus_allowed_list:\s+0\n$/);
  });
}
