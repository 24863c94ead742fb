import { describe, expect, it } from 'vitest';
import { newRecord, type RunRecord } from '../run/record.ts';
import { runMessageFor } from '../testing/run-message.ts';
import { cpusToReport, loadOf } from './slots.ts';

const run = (cpus: number, epoch: number | undefined, step: RunRecord['step'] = 'watch'): RunRecord => {
  const message = runMessageFor({ command: 'true', resources: { cpus } });
  return { ...newRecord({ ...message, epoch }, 0), step };
};
const reported = (slots: number | null, ...records: RunRecord[]) => cpusToReport(slots, 8, loadOf(records));

describe('with an original server, which knows no slots', () => {
  it('says how many processors are in use once all slots are taken', () => {
    expect(reported(2, run(1, undefined), run(3, undefined))).toBe(4);
    expect(reported(2, run(1, undefined), run(3, undefined), run(2, undefined, 'prepare'))).toBe(6);
    expect(reported(1, run(0, undefined))).toBe(1);
  });

  it('says how many there are while a slot is free', () => {
    expect(reported(2)).toBe(8);
    expect(reported(2, run(3, undefined))).toBe(8);
    expect(reported(null, run(3, undefined))).toBe(8);
  });

  it('counts a run from its arrival until its results are uploaded', () => {
    expect(reported(1, run(3, undefined, 'prepare'))).toBe(3);
    expect(reported(1, run(3, undefined, 'upload'))).toBe(3);
    expect(reported(1, run(3, undefined, 'finish'))).toBe(8);
  });
});

it('tells a server that numbers its attempts what there is: that one counts slots itself', () => {
  expect(reported(1, run(3, 1))).toBe(8);
});
