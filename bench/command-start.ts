import { Installation } from '../tests/support/installation.ts';
import { run } from '../tests/support/programs.ts';
import { median, milliseconds, timed, type Measurement } from './measure.ts';

/** `cl status` from start to exit, beside a Node that does nothing; the two alternate, so that both meet the same noise. */
export const commandStart: Measurement = {
  name: 'command-start',
  async run() {
    const installation = await Installation.start('sandbox');
    try {
      await installation.ok('status');
      const ours: number[] = [];
      const floor: number[] = [];
      for (let round = 0; round < 40; round += 1) {
        floor.push((await timed(() => run(process.execPath, ['-e', '0']))).ms);
        ours.push((await timed(() => installation.ok('status'))).ms);
      }
      const ratio = median(ours) / median(floor);
      return [
        {
          what: '`cl status`, start to exit (median of 40)',
          ours: milliseconds(median(ours)),
          floor: `\`node -e 0\`: ${milliseconds(median(floor))}`,
          bound: `≤ 1.6 × (measured ${ratio.toFixed(2)} ×)`,
          holds: ratio <= 1.6,
        },
      ];
    } finally {
      await installation.stop();
    }
  },
};
