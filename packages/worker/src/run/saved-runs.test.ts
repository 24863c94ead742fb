import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StartProblem } from '../settings/settings.ts';
import { silent } from '../testing/worker-bench.ts';
import { SavedRuns } from './saved-runs.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-saved-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** As version 0.1.0 wrote it. It never changes: workers must be able to go on from it. */
const recorded = readFileSync(join(import.meta.dirname, 'recorded/run-record-1.json'), 'utf8');
const keep = (name: string, text: string) => writeFileSync(join(directory, name), text);
const load = async () => (await SavedRuns.open(directory, silent)).load();

it('goes on from what an earlier version has saved, and saves it again', async () => {
  keep('0xb7.json', recorded);

  const [record, ...others] = await load();

  expect(others).toEqual([]);
  expect(record).toMatchObject({
    uuid: '0xb7a38016643346c88f33e536c7987ee3',
    step: 'watch',
    handle: { runtime: 'sandbox' },
    failureCause: null,
    message: { bundle: { dependencies: [{ child_path: 'in', entry: { kind: 'file', size: 5 } }] } },
  });
  const saved = await SavedRuns.open(directory, silent);
  if (record !== undefined) await saved.save(record);
  expect(await load()).toContainEqual(record);
});

it('skips fields it does not know', async () => {
  keep('0xb7.json', JSON.stringify({ ...JSON.parse(recorded), mood: 'good', failureCause: 'of tomorrow' }));

  expect(await load()).toMatchObject([{ step: 'watch', failureCause: null }]);
});

it('touches nothing that a newer version has saved, and says so', async () => {
  keep('0xb7.json', JSON.stringify({ ...JSON.parse(recorded), version: 2, step: 'dance' }));

  const loading = load();

  await expect(loading).rejects.toThrow(StartProblem);
  await expect(loading).rejects.toThrow(
    /newer version of this worker.*format 2, this one knows 1.*--work-dir/,
  );
  expect(readdirSync(directory)).toEqual(['0xb7.json']);
});

it.each(['', '{', '[]', '{"version":1}', '{"version":"1"}'])('puts aside what is none: %s', async (text) => {
  keep('0xb7.json', recorded);
  keep('0xdd.json', text);
  keep('0xdd.json.tmp', text);

  expect(await load()).toHaveLength(1);
  expect(readdirSync(directory).toSorted()).toEqual(['0xb7.json', '0xdd.json.unreadable']);
});

it('writes once what changes several times in a moment, and at once what the end waits for', async () => {
  keep(`${(JSON.parse(recorded) as { uuid: string }).uuid}.json`, recorded);
  const [record] = await load();
  if (record === undefined) throw new Error('there is a record');
  const saved = await SavedRuns.open(directory, silent);
  let writes = 0;
  const save = () => {
    writes += 1;
    return saved.save(record);
  };

  for (const step of ['collect', 'upload', 'finish'] as const) {
    record.step = step;
    saved.saveSoon(record, save);
  }
  expect(await load()).toMatchObject([{ step: 'watch' }]);
  await saved.settle();

  expect(writes).toBe(1);
  expect(await load()).toMatchObject([{ step: 'finish' }]);

  saved.saveSoon(record, save);
  await saved.remove(record.uuid);
  await saved.settle();
  expect(await load()).toEqual([]);
});
