import fc from 'fast-check';
import { appendSamples, type UsageSample } from '@sheaf/domain';
import { describe, expect, it } from 'vitest';
import {
  decodePoints,
  encodePoints,
  grow,
  isTooLong,
  mostPoints,
  segmentSize,
  shorten,
  type OpenSegment,
} from './segments.ts';

const start = 1_700_000_000_000;

function second(number: number): UsageSample {
  return {
    at: start + number * 1000,
    cpu: 0.5,
    memory: 1e6 + number,
    disk: number,
    user: number / 2,
    system: 0,
  };
}

/** As the database would hold it. */
class Shelf {
  open: OpenSegment | undefined;
  readonly closed = new Map<number, readonly UsageSample[]>();

  add(samples: readonly UsageSample[]): void {
    const grown = grow(this.open, samples);
    if (grown === undefined) return;
    let { open, closed } = grown;
    if (isTooLong(open)) {
      const before = [...this.closed.values(), ...closed.map(({ points }) => points)].flat();
      this.closed.clear();
      ({ open, closed } = shorten(open, before));
    }
    this.open = open;
    for (const { segment, points } of closed) this.closed.set(segment, points);
  }

  get all(): UsageSample[] {
    return [...[...this.closed.values()].flat(), ...(this.open?.points ?? [])];
  }
}

describe('the segments of a series', () => {
  it('together are the series, however the samples came', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 12 }), (portions) => {
        const shelf = new Shelf();
        let next = 0;
        for (const portion of portions) {
          shelf.add(Array.from({ length: portion }, (_, index) => second(next + index)));
          next += portion;
        }
        const samples = Array.from({ length: next }, (_, index) => second(index));

        expect(shelf.all).toEqual(appendSamples(undefined, samples)?.points ?? []);
      }),
    );
  });

  it('are rewritten only at their end', () => {
    const shelf = new Shelf();
    for (let number = 0; number < 1000; number += 1) {
      const before = new Map(shelf.closed);
      shelf.add([second(number)]);
      for (const [segment, points] of before) expect(shelf.closed.get(segment)).toBe(points);
      expect(shelf.open?.points.length).toBeLessThanOrEqual(segmentSize + 2);
    }
    expect(shelf.all).toHaveLength(1000);
  });

  it('of a run of a day are no more than those of an hour', () => {
    const shelf = new Shelf();
    for (let number = 0; number < 86_400; number += 1) {
      shelf.add([second(number)]);
      if (shelf.open === undefined || isTooLong(shelf.open)) throw new Error(`too long after ${number} s`);
    }

    expect(shelf.all.length).toBeLessThanOrEqual(mostPoints);
    expect(shelf.all.length).toBeGreaterThan(mostPoints / 2 - segmentSize);
    expect(shelf.all[0]).toEqual(second(0));
    expect(shelf.all.at(-1)).toMatchObject({ at: second(86_399).at, memory: second(86_399).memory });
    expect(shelf.open?.resolution).toBe(128_000);
  });

  it('come back from text as they were, up to what nobody can measure', () => {
    const points = [second(0), { ...second(1), cpu: 1.23456, memory: null, disk: 7.4 }];

    expect(decodePoints(encodePoints(points, start), start)).toEqual([
      second(0),
      { ...second(1), cpu: 1.235, memory: null, disk: 7 },
    ]);
  });
});
