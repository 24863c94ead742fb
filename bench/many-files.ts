import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Installation } from '../tests/support/installation.ts';
import { run } from '../tests/support/programs.ts';
import { timed, type Measurement } from './measure.ts';

const count = 20_000;

/** 20,000 files of 1 kB from a directory into the store, beside `cp -r` with a sync of the filesystem. */
export const manyFiles: Measurement = {
  name: 'many-files',
  async run() {
    const installation = await Installation.start('sandbox');
    try {
      const directory = join(mkdtempSync(join(installation.home, 'bench-')), 'files');
      for (let number = 0; number < count; number += 1) {
        const folder = join(directory, String(Math.floor(number / 1000)));
        if (number % 1000 === 0) mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, String(number)), randomBytes(1000));
      }
      await run('sync', ['-f', directory]);
      const copied = await timed(async () => {
        await run('cp', ['-r', directory, `${directory}-copy`]);
        await run('sync', ['-f', directory]);
      });
      const uploaded = await timed(() => installation.ok('upload', directory));
      const perSecond = count / (uploaded.ms / 1000);
      return [
        {
          what: '20,000 files of 1 kB, `cl upload` start to exit',
          ours: `${perSecond.toFixed(0)} files/s`,
          floor: `\`cp -r\` and sync: ${(count / (copied.ms / 1000)).toFixed(0)} files/s`,
          bound: '≥ 4,000 files/s',
          holds: perSecond >= 4000,
        },
      ];
    } finally {
      await installation.stop();
    }
  },
};
