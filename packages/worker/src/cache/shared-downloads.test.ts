import { expect, it } from 'vitest';
import { SharedDownloads } from './shared-downloads.ts';

const ignore = (): void => undefined;

it('ends a download when the last who waited for it has left, not before', async () => {
  const downloads = new SharedDownloads(4);
  const kills = [new AbortController(), new AbortController()] as const;
  const seen: AbortSignal[] = [];
  const endless = (signal: AbortSignal): Promise<void> => {
    seen.push(signal);
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  };
  const waiting = kills.map(({ signal }) => downloads.join('name', signal, ignore, endless));

  kills[0].abort(new Error('first'));
  await expect(waiting[0]).rejects.toThrow('first');
  expect(seen.map(({ aborted }) => aborted)).toEqual([false]);

  kills[1].abort(new Error('second'));
  await expect(waiting[1]).rejects.toThrow('second');
  expect(seen.map(({ aborted }) => aborted)).toEqual([true]);
  expect(downloads.names.size).toBe(0);
});
