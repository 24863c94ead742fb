/* `cl run --memoize`: whose result is taken for what, and what is executed again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { Person } from '../support/people.ts';

let installation: Installation;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-memoized-'));
  installation = await Installation.start('sandbox');
});
afterAll(async () => {
  await installation.stop();
  rmSync(directory, { recursive: true, force: true });
});

const text = (content: string, name: string) => installation.ok('upload', '-c', content, '-n', name);
async function ready(uuid: string): Promise<string> {
  const { state, metadata } = await installation.finished(uuid);
  expect({ state, failure: metadata['failure_message'] }).toMatchObject({ state: 'ready' });
  return uuid;
}

/** What `cl run -m` prints. */
async function memoized(...words: string[]): Promise<{ uuid: string; note: string }> {
  const { code, stdout, stderr } = await installation.cl(['run', '-m', ...words]);
  expect(code, stderr).toBe(0);
  return { uuid: stdout.trim(), note: stderr };
}

it('takes a former result for the same contents, says so in one line, and puts it on the worksheet', async () => {
  const [one, two, copy] = [
    await text('one\n', 'one'),
    await text('two\n', 'two'),
    await text('one\n', 'other-name'),
  ];
  const first = await ready(await installation.ok('run', `a:${one}`, `b:${two}`, 'cat a b; date +%N'));

  const worksheet = await installation.ok('new', 'elsewhere');
  const again = await memoized(
    `b:${two}`,
    `a:${one}`,
    'cat a b; date +%N',
    '-w',
    worksheet,
    '-n',
    'any',
    '--request-cpus',
    '2',
  );
  expect(again.uuid).toBe(first);
  expect(again.note).toBe(
    `Took the former result of run-cat(${first}): to run it again, leave out --memoize.\n`,
  );
  expect(await installation.ok('ls', '-w', worksheet, '-u')).toBe(first);
  expect((await memoized(`a:${copy}`, `b:${two}`, 'cat a b; date +%N')).uuid).toBe(first);

  // Without the flag it is executed again, and then that is the latest.
  const second = await ready(await installation.ok('run', `a:${one}`, `b:${two}`, 'cat a b; date +%N'));
  expect(second).not.toBe(first);
  expect((await memoized(`a:${one}`, `b:${two}`, 'cat a b; date +%N')).uuid).toBe(second);

  const key = await installation.ok('info', first, '-f', 'action_key');
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(await installation.ok('info', second, '-f', 'action_key')).toBe(key);
  expect(await installation.ok('info', second, '-r')).toMatch(new RegExp(`^action_key +: ${key}$`, 'm'));
});

it('executes whatever differs', async () => {
  const [one, two] = [await text('1', 'first'), await text('2', 'second')];
  const run = await ready(await installation.ok('run', `a:${one}`, 'cat a'));
  const seen = new Set([run]);
  for (const words of [
    [`a:${two}`, 'cat a'],
    [`a:${one}`, 'cat  a'],
    [`a:${one}`, `b:${two}`, 'cat a'],
    [`a:${one}`, 'cat a', '--no-request-network'],
    [`a:${one}`, 'cat a', '--exclude-patterns', 'x'],
  ]) {
    const { uuid, note } = await memoized(...words);
    expect(note).toBe('');
    expect(seen).not.toContain(uuid);
    seen.add(await ready(uuid));
  }
  expect((await memoized(`a:${one}`, 'cat a')).uuid).toBe(run);
});

it('never takes what failed, was killed, or was written to', async () => {
  const failed = await installation.ok('run', 'exit 7');
  await installation.finished(failed);
  const after = await memoized('exit 7');
  expect(after.uuid).not.toBe(failed);

  const talked = await installation.ok('run', 'while [ ! -e word ]; do sleep 0.1; done');
  await installation.inState(talked, 'running');
  await installation.ok('write', `${talked}/word`, 'hello');
  await ready(talked);
  const alone = await memoized('while [ ! -e word ]; do sleep 0.1; done');
  expect(alone.uuid).not.toBe(talked);
  await installation.ok('kill', alone.uuid);
  await installation.finished(alone.uuid);
});

it('joins the same run that is under way, and waits for it where that is wanted', async () => {
  const command = 'while [ ! -e go ]; do sleep 0.1; done; echo went';
  const uuid = await installation.ok('run', command);
  await installation.inState(uuid, 'running');
  const joined = await memoized(command);
  expect(joined.uuid).toBe(uuid);
  expect(joined.note).toBe(
    `Took the same run that is running already, run-while(${uuid}): to run it again, leave out --memoize.\n`,
  );
  const more = await memoized(command, '--request-memory', '1g');
  expect(more.uuid).not.toBe(uuid);
  await installation.ok('kill', more.uuid);
  // What is written to a run makes it unlike all others: not before it has been joined.
  let joins: () => void = () => undefined;
  const hasJoined = new Promise<void>((resolve) => {
    joins = resolve;
  });
  const watching = installation.cl(['run', '-m', command, '--tail'], { onStdout: () => joins() });
  await hasJoined;
  await installation.ok('write', `${uuid}/go`, 'x');
  const { code, stdout } = await watching;
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${uuid}\nwent\n` });
});

it('takes runs of others, where all they were made of may be read', async () => {
  const maria = await Person.join(installation, 'maria');
  const [mine, hers] = [await text('shared', 'mine'), await maria.ok('upload', '-c', 'shared')];
  const run = await ready(await installation.ok('run', `a:${mine}`, 'cat a; echo others'));
  // Nobody serves that queue: what is not found waits, and is killed.
  const ask = async () => {
    const words = [`a:${hers}`, 'cat a; echo others', '--request-queue', 'nowhere'];
    const uuid = await maria.ok('run', '-m', ...words);
    if (uuid !== run) {
      await maria.ok('kill', uuid);
      await installation.inState(uuid, 'killed');
    }
    return uuid;
  };
  const share = async (bundle: string, permission: 0 | 1) => {
    const { data } = await installation.api<{ data: { id: string; attributes: { name: string } }[] }>(
      'GET',
      '/groups',
    );
    const group = data.find(({ attributes }) => attributes.name === 'public')?.id ?? '';
    const relationships = {
      bundle: { data: { type: 'bundles', id: bundle } },
      group: { data: { type: 'user-groups', id: group } },
    };
    await installation.api('POST', '/bundle-permissions', {
      data: [{ type: 'bundle-permissions', attributes: { permission }, relationships }],
    });
  };
  // What is on a home worksheet is for everybody unless somebody says otherwise.
  for (const bundle of [run, mine]) await share(bundle, 0);
  expect(await ask()).not.toBe(run);
  await share(run, 1);
  expect(await ask()).not.toBe(run);
  await share(mine, 1);
  expect(await ask()).toBe(run);
});

it('says why it cannot look for one where an input is a link', async () => {
  writeFileSync(join(directory, 'file'), 'x');
  const link = await installation.ok('upload', '--link', join(directory, 'file'), '-n', 'linked');
  const { uuid, note } = await memoized(`a:${link}`, 'cat a');
  expect(note).toBe(
    `No former result is looked for: linked(${link}) is a link, and what is behind it may have changed.\n`,
  );
  await installation.finished(uuid);
});
