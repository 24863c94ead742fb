import { expect, it } from 'vitest';
import { SharedWork } from './shared-work.ts';

interface Job {
  readonly signal: AbortSignal;
  readonly say: (status: string) => void;
  readonly finish: (result: string) => void;
  readonly fail: (error: Error) => void;
}

function bench() {
  const shared = new SharedWork<string>();
  const jobs: Job[] = [];
  const heard: string[] = [];
  const work = (signal: AbortSignal, say: (status: string) => void): Promise<string> =>
    new Promise((finish, fail) => jobs.push({ signal, say, finish, fail }));
  const join = (name: string, signal = new AbortController().signal): Promise<string> =>
    shared.join('key', { signal, onProgress: (status) => void heard.push(`${name}: ${status}`) }, work);
  return { jobs, heard, join };
}

it('is done once for all who come meanwhile, and again for those who come later', async () => {
  const { jobs, join } = bench();
  const both = [join('a'), join('b')];

  jobs[0]?.finish('done');

  expect(await Promise.all(both)).toEqual(['done', 'done']);
  const later = join('c');
  jobs[1]?.finish('again');
  expect(await later).toBe('again');
  expect(jobs).toHaveLength(2);
});

it('tells everybody how far it is, late-comers at once', async () => {
  const { jobs, heard, join } = bench();
  const first = join('a');
  jobs[0]?.say('half');
  const second = join('b');
  jobs[0]?.say('nearly');
  jobs[0]?.finish('done');
  await Promise.all([first, second]);

  expect(heard).toEqual(['a: half', 'b: half', 'a: nearly', 'b: nearly']);
});

it('goes on while somebody waits, and is given up with the last', async () => {
  const { jobs, join } = bench();
  const leaving = [new AbortController(), new AbortController()];
  const waiting = leaving.map(({ signal }, index) => join(String(index), signal));

  leaving[0]?.abort(new Error('first leaves'));
  await expect(waiting[0]).rejects.toThrow('first leaves');
  expect(jobs[0]?.signal.aborted).toBe(false);
  leaving[1]?.abort(new Error('last leaves'));
  await expect(waiting[1]).rejects.toThrow('last leaves');
  expect(jobs[0]?.signal.aborted).toBe(true);

  const next = join('next');
  jobs[1]?.finish('fresh');
  expect(await next).toBe('fresh');
});

it('fails for all', async () => {
  const { jobs, join } = bench();
  const both = [join('a'), join('b')];

  jobs[0]?.fail(new Error('broken'));

  await expect(both[0]).rejects.toThrow('broken');
  await expect(both[1]).rejects.toThrow('broken');
});
