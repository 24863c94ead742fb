import fc from 'fast-check';
import { expect, it } from 'vitest';
import { chooseEvictions } from './eviction.ts';

const entry = fc.record({
  name: fc.uuid(),
  size: fc.integer({ min: 0, max: 100 }),
  usedAt: fc.integer({ min: 0, max: 1000 }),
  inUse: fc.boolean(),
});

it('removes nothing while everything fits', () => {
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const total = entries.reduce((sum, { size }) => sum + size, 0);
      expect(chooseEvictions(entries, total)).toEqual([]);
    }),
  );
});

it('never removes what is in use, and goes below the limit if the rest allows it', () => {
  fc.assert(
    fc.property(fc.array(entry), fc.integer({ min: 0, max: 500 }), (entries, limit) => {
      const evicted = new Set(chooseEvictions(entries, limit));

      const kept = entries.filter(({ name }) => !evicted.has(name));
      const total = kept.reduce((sum, { size }) => sum + size, 0);
      expect(entries.some(({ name, inUse }) => inUse && evicted.has(name))).toBe(false);
      expect(total <= limit || kept.every(({ inUse }) => inUse)).toBe(true);
    }),
  );
});

it('removes what was unused longest first', () => {
  const entries = [
    { name: 'new', size: 10, usedAt: 3, inUse: false },
    { name: 'old', size: 10, usedAt: 1, inUse: false },
    { name: 'middle', size: 10, usedAt: 2, inUse: false },
  ];

  expect(chooseEvictions(entries, 25)).toEqual(['old']);
  expect(chooseEvictions(entries, 15)).toEqual(['old', 'middle']);
});
