import { expect, it } from 'vitest';
import { RefusedEntries } from './refused-entries.ts';

it('says nothing of nothing', () => {
  expect(new RefusedEntries().words).toBeUndefined();
});

it('names the first, and counts the others', () => {
  const refused = new RefusedEntries();
  refused.note('a', 'its name is odd');
  expect(refused.words).toBe('a: its name is odd. Everything else is stored.');
  refused.note('b', 'its path is too long');
  refused.note('c', 'its path is too long');
  expect(refused.words).toBe('a: its name is odd (and 2 more). Everything else is stored.');
});

it('shows of a long path its beginning and its end', () => {
  const refused = new RefusedEntries();
  refused.note(`begin/${'d/'.repeat(2000)}end`, 'its path is too long');
  expect(refused.words).toMatch(/^begin\/d.*…\/?d.*d\/end: its path is too long\. /);
  expect(refused.words?.length).toBeLessThan(200);
});
