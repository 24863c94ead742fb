import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseCpuList } from './cpu-list.ts';
import { offeredCpus, usableCpus } from './cpus.ts';
import { diskSpace } from './disk.ts';
import { findGpus, offeredGpus, parseGpus } from './gpus.ts';
import { inspectMachine } from './machine.ts';

it.each([
  ['0-3,8', [0, 1, 2, 3, 8]],
  ['5\n', [5]],
  ['', []],
])('the kernel writes the processors %j as %j', (text, numbers) => {
  expect(parseCpuList(text)).toEqual(numbers);
});

it('refuses what is no list of processors', () => {
  expect(() => parseCpuList('all')).toThrow(RangeError);
});

it('offers the processors this process may use, or those of them that are named', async () => {
  const usable = await usableCpus();

  expect(usable.length).toBeGreaterThan(0);
  expect(offeredCpus('all', [0, 1])).toEqual([0, 1]);
  expect(offeredCpus([1], [0, 1])).toEqual([1]);
  expect(() => offeredCpus([1, 7], [0, 1])).toThrow('--cpuset names 7, but');
});

const twoGpus = '0, GPU-aaa\n1, GPU-bbb\n';

it('finds GPUs with the nvidia-smi of the host, and none where there is none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-gpu-'));
  const program = join(directory, 'nvidia-smi');
  writeFileSync(
    program,
    `#!/bin/sh\n[ "$*" = "--query-gpu=index,uuid --format=csv,noheader" ] && printf '${twoGpus}'\n`,
  );
  chmodSync(program, 0o755);

  expect(await findGpus(program)).toEqual(parseGpus(twoGpus));
  expect(await findGpus(join(directory, 'nothing'))).toEqual([]);
  rmSync(directory, { recursive: true });
});

it('offers GPUs by their uuids', () => {
  const found = parseGpus(twoGpus);

  expect(offeredGpus('all', found)).toEqual(['GPU-aaa', 'GPU-bbb']);
  expect(offeredGpus(['1'], found)).toEqual(['GPU-bbb']);
  expect(offeredGpus(['GPU-aaa'], found)).toEqual(['GPU-aaa']);
  expect(offeredGpus([], found)).toEqual([]);
  expect(() => offeredGpus(['2'], found)).toThrow('--gpuset names the GPU 2');
});

it('offers the memory there is, or less', async () => {
  const all = await inspectMachine({ cpus: 'all', gpus: [], maximumMemory: null });
  const some = await inspectMachine({ cpus: 'all', gpus: [], maximumMemory: 1000 });

  expect(all.memory).toBeGreaterThan(0);
  expect(all.memory).toBeLessThanOrEqual(totalmem());
  expect(some.memory).toBe(1000);
});

it('knows the room on a disk', async () => {
  expect((await diskSpace(tmpdir()))?.free).toBeGreaterThan(0);
});
