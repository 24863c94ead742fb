import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { Installation } from '../tests/support/installation.ts';
import { run } from '../tests/support/programs.ts';
import { mebibytes, median, rate, timed, type Measurement } from './measure.ts';
import { peakBytes } from './resources.ts';

const gibibyte = 1024 ** 3;

/** 1 GiB up, again, beside `dd` of the same file with fsync on the same filesystem. */
export const largeFile: Measurement = {
  name: 'large-file',
  async run() {
    const installation = await Installation.start('sandbox');
    const directory = mkdtempSync(join(installation.home, 'bench-'));
    try {
      const first: number[] = [];
      const again: number[] = [];
      const floor: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        const file = join(directory, `random-${round}`);
        writeRandom(file, gibibyte);
        const copy = join(directory, 'copy');
        floor.push(
          (await timed(() => run('dd', [`if=${file}`, `of=${copy}`, 'bs=1M', 'conv=fsync', 'status=none'])))
            .ms,
        );
        rmSync(copy);
        first.push((await timed(() => installation.ok('upload', file))).ms);
        again.push((await timed(() => installation.ok('upload', file))).ms);
        rmSync(file);
      }
      const peak = peakBytes(installation.server?.pid ?? 0);
      const share = (median(floor) / median(first)) * 100;
      const times = median(first) / median(again);
      return [
        {
          what: '1 GiB file, `cl upload` (median of 3)',
          ours: rate(gibibyte, median(first)),
          floor: `\`dd conv=fsync\`: ${rate(gibibyte, median(floor))}`,
          bound: `≥ 50 % (measured ${share.toFixed(0)} %)`,
          holds: share >= 50,
        },
        {
          what: '1 GiB file, identical again',
          ours: `${median(again).toFixed(0)} ms`,
          floor: `first time: ${median(first).toFixed(0)} ms`,
          bound: `≥ 3 times faster (measured ${times.toFixed(1)})`,
          holds: times >= 3,
        },
        {
          what: 'server memory throughout, highest resident',
          ours: mebibytes(peak),
          floor: '-',
          bound: '< 200 MB',
          holds: peak < 200e6,
        },
      ];
    } finally {
      await installation.stop();
    }
  },
};

function writeRandom(file: string, size: number): void {
  const chunk = Buffer.alloc(8 * 1024 * 1024);
  const descriptor = openSync(file, 'w');
  for (let written = 0; written < size; written += chunk.length) {
    randomFillSync(chunk);
    writeSync(descriptor, chunk);
  }
  closeSync(descriptor);
}
