import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Ordered } from './ordered.ts';

it('is what a sorted list would be, after any changes', () => {
  const change = fc.record({ place: fc.nat(3000), add: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4000, size: 'max' }), fc.nat(3100), (changes, looked) => {
      const ordered = new Ordered<{ place: number; number: number }>();
      const expected = new Map<number, number>();
      for (const [number, { place, add }] of changes.entries()) {
        if (add) {
          ordered.add({ place, number });
          expected.set(place, number);
        } else {
          ordered.remove(place);
          expected.delete(place);
        }
      }
      const sorted = [...expected]
        .map(([place, number]) => ({ place, number }))
        .toSorted((one, other) => one.place - other.place);
      expect([...ordered]).toEqual(sorted);
      expect(ordered.size).toBe(sorted.length);
      expect(ordered.countBefore(looked)).toBe(sorted.filter(({ place }) => place < looked).length);
      const position = looked % (sorted.length + 1);
      expect(ordered.at(position)).toEqual(sorted[position]);
    }),
    { numRuns: 60 },
  );
});
