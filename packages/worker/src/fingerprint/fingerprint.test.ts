import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseCpuList } from './cpu-list.ts';
import { offeredCpus, presentCpus, usableCpus } from './cpus.ts';
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
  expect(offeredCpus('all', { usable: [0, 1] })).toEqual([0, 1]);
  expect(offeredCpus([1], { usable: [0, 1] })).toEqual([1]);
  expect(() => offeredCpus([1, 7], { usable: [0, 1] })).toThrow(
    '--cpuset names 7, but this machine has only',
  );
});

it('offers of the processors named those that this process may use', async () => {
  const four = { usable: [1, 2], present: [0, 1, 2, 3] };

  expect(offeredCpus([0, 2, 3], four)).toEqual([2]);
  expect(() => offeredCpus([0, 3], four)).toThrow('may use only the processors 1,2');
  expect(() => offeredCpus([1, 4], four)).toThrow(
    '--cpuset names 4, but this machine has only the processors 0,1,2,3',
  );
  const usable = await usableCpus();
  expect(await presentCpus()).toEqual(expect.arrayContaining(usable));
});

const nothing = () => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

const twoGpus = '0, GPU-aaa\n1, GPU-bbb\n';

it('finds GPUs with the nvidia-smi of the host, and none where there is none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-gpu-'));
  const program = join(directory, 'nvidia-smi');
  writeFileSync(
    program,
    `#!/bin/sh\n[ "$*" = "--query-gpu=index,uuid --format=csv,noheader" ] && printf '${twoGpus}'\n`,
  );
  chmodSync(program, 0o755);

  const said: string[] = [];
  const note = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug: note, info: note, warn: note, error: note };
  expect(await findGpus(log, program)).toEqual(parseGpus(twoGpus));
  expect(await findGpus(log, join(directory, 'nothing'))).toEqual([]);
  expect(said).toEqual([]);

  writeFileSync(program, '#!/bin/sh\necho the driver is broken >&2; exit 9\n');
  expect(await findGpus(log, program)).toEqual([]);
  expect(said).toEqual([expect.stringMatching(/nvidia-smi failed.*the driver is broken/)]);
  rmSync(directory, { recursive: true });
});

it('offers GPUs by their uuids', () => {
  const found = parseGpus(twoGpus);

  expect(offeredGpus('all', found)).toEqual(['GPU-aaa', 'GPU-bbb']);
  expect(offeredGpus(['1'], found)).toEqual(['GPU-bbb']);
  expect(offeredGpus(['GPU-aaa'], found)).toEqual(['GPU-aaa']);
  expect(offeredGpus([], found)).toEqual([]);
  expect(() => offeredGpus(['2'], found)).toThrow(
    '--gpuset names the GPU 2, but nvidia-smi lists only 0 (GPU-aaa), 1 (GPU-bbb) on this machine.',
  );
  expect(() => offeredGpus(['0'], [])).toThrow('nvidia-smi lists none');
  expect(() => offeredGpus(['0', 'GPU-aaa'], found)).toThrow('GPU-aaa twice');
});

// Two cards, none, and what the program says when the driver or a card is broken.
it.each([
  ['No devices were found\n', []],
  ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", []],
  [
    '0, GPU-8e3f1c2a-7d4b-0c55-9a1e-3b6f2d4c8a10\n1, GPU-1b0d9f4e-22c7-6e58-b3a9-5c7e8d1f0a23\n',
    ['GPU-8e3f1c2a-7d4b-0c55-9a1e-3b6f2d4c8a10', 'GPU-1b0d9f4e-22c7-6e58-b3a9-5c7e8d1f0a23'],
  ],
  [
    'WARNING: infoROM is corrupted at gpu 0000:00:1E.0\n0, GPU-8e3f1c2a-7d4b-0c55-9a1e-3b6f2d4c8a10\n',
    ['GPU-8e3f1c2a-7d4b-0c55-9a1e-3b6f2d4c8a10'],
  ],
  ['Unable to determine the device handle for GPU 0000:3B:00.0: Unknown Error\n', []],
])('reads what nvidia-smi says (%#)', (text, uuids) => {
  expect(parseGpus(text).map(({ uuid }) => uuid)).toEqual(uuids);
});

it('offers the memory there is, or less', async () => {
  const all = await inspectMachine({ cpus: 'all', gpus: [], maximumMemory: null }, silent);
  const some = await inspectMachine({ cpus: 'all', gpus: [], maximumMemory: 1000 }, silent);

  expect(all.memory).toBeGreaterThan(0);
  expect(all.memory).toBeLessThanOrEqual(totalmem());
  expect(some.memory).toBe(1000);
});

it('knows the room on a disk', async () => {
  expect((await diskSpace(tmpdir()))?.free).toBeGreaterThan(0);
});
