import { expect, it } from 'vitest';
import { PullProgress } from './progress.ts';

const megabyte = 1 << 20;

function line(status: string, id: string, current?: number, total?: number) {
  return { status, id, progressDetail: { current, total } };
}

it('adds up the layers of a pull', () => {
  const progress = new PullProgress();

  expect(progress.add(line('Downloading', 'a', 4 * megabyte, 20 * megabyte))).toBe(
    'Downloading 4m/20m (20% done)',
  );
  expect(progress.add(line('Downloading', 'b', 8 * megabyte, 60 * megabyte))).toBe(
    'Downloading 12m/80m (15% done)',
  );
  expect(progress.downloadSize).toBe(80 * megabyte);
  progress.add(line('Download complete', 'b'));
  expect(progress.add(line('Downloading', 'a', 20 * megabyte, 20 * megabyte))).toBe(
    'Downloading 80m/80m (100% done)',
  );
  expect(progress.add(line('Extracting', 'a', 10 * megabyte, 20 * megabyte))).toBe(
    'Extracting 10m/20m (50% done)',
  );
});

it('says nothing where there is nothing to say', () => {
  const progress = new PullProgress();

  expect(progress.add({ status: 'Pulling from library/debian' })).toBeUndefined();
  expect(progress.add({ status: 'Already exists', id: 'a' })).toBeUndefined();
  expect(progress.downloadSize).toBe(0);
});
