import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  appendSamples,
  bounded,
  coarser,
  finestResolution,
  type UsageSample,
  type UsageSeries,
} from './series.ts';

function sample(at: number, more: Partial<UsageSample> = {}): UsageSample {
  return { at, cpu: 1, memory: 100, disk: 10, user: at / 1000, system: 0, ...more };
}

function series(samples: readonly UsageSample[]): UsageSeries {
  const made = appendSamples(undefined, samples);
  if (made === undefined) throw new Error('a series needs a sample');
  return made;
}

const samplesOf = fc
  .array(
    fc.record({
      step: fc.integer({ min: 0, max: 5000 }),
      cpu: fc.integer({ min: 0, max: 64 }),
      memory: fc.option(fc.integer({ min: 0, max: 1e9 })),
    }),
    { minLength: 1, maxLength: 400 },
  )
  .map((steps) => {
    let at = 1_700_000_000_000;
    let user = 0;
    return steps.map(({ step, cpu, memory }) => {
      at += step;
      user += (cpu * step) / 1000;
      return sample(at, { cpu, memory, user });
    });
  });

describe('a series of samples', () => {
  it('keeps samples of a second each as they are', () => {
    const samples = [0, 1000, 2000, 3000].map((at) => sample(at));

    expect(series(samples).points).toEqual(samples);
  });

  it('takes no sample twice', () => {
    fc.assert(
      fc.property(samplesOf, fc.nat(), (samples, cut) => {
        const whole = series(samples);
        const again = appendSamples(whole, samples.slice(cut % samples.length));

        expect(again).toEqual(whole);
      }),
    );
  });

  it('does not depend on how the samples come in', () => {
    fc.assert(
      fc.property(samplesOf, fc.nat(), (samples, cut) => {
        const at = cut % samples.length;
        const head = appendSamples(undefined, samples.slice(0, at));

        expect(appendSamples(head, samples.slice(at))).toEqual(series(samples));
      }),
    );
  });

  it('is bounded, in order, and keeps both ends and the most memory', () => {
    fc.assert(
      fc.property(samplesOf, fc.integer({ min: 2, max: 50 }), (samples, most) => {
        const { points, resolution } = bounded(series(samples), most);
        const distinct = samples.filter(({ at }, index) => index === 0 || at > (samples[index - 1]?.at ?? 0));

        expect(points.length).toBeLessThanOrEqual(most);
        expect(Math.log2(resolution / finestResolution) % 1).toBe(0);
        expect(points.map(({ at }) => at)).toEqual(points.map(({ at }) => at).toSorted((a, b) => a - b));
        expect(points[0]).toEqual(distinct[0]);
        expect(points.at(-1)?.at).toBe(distinct.at(-1)?.at);
        expect(points.at(-1)?.user).toBe(distinct.at(-1)?.user);
        const peak = (of: readonly UsageSample[]) => Math.max(...of.map(({ memory }) => memory ?? -1));
        expect(peak(points)).toBe(peak(distinct));
      }),
    );
  });

  it('means cores over time, however often it was halved', () => {
    const samples = [sample(0), sample(1000, { cpu: 4 }), sample(4000, { cpu: 0 }), sample(5000, { cpu: 8 })];

    const { points } = coarser(coarser(coarser(series(samples))));

    expect(points).toHaveLength(2);
    expect(points[1]).toMatchObject({ at: 5000, cpu: (4 * 1 + 8 * 1) / 5 });
  });
});
