import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../fixtures/temporary.ts';
import { Durability } from './durability.ts';

/** Puts a `sync` in front of the real one that writes down how it was called, and then does what `then` says. */
async function watchedSync(then: string): Promise<{ log: string; root: string }> {
  const directory = await temporaryDirectory();
  const log = join(directory, 'log');
  await writeFile(join(directory, 'sync'), `#!/bin/sh\necho "$@" >>"${log}"\n${then}\n`);
  await chmod(join(directory, 'sync'), 0o755);
  const path = process.env['PATH'];
  process.env['PATH'] = `${directory}:${path}`;
  onTestFinished(() => {
    process.env['PATH'] = path;
  });
  await writeFile(log, '');
  return { log, root: directory };
}

const many = Array.from({ length: 20 }, (_, index) => `/nowhere/${index}`);

describe('Durability', () => {
  it('syncs the filesystem once for many files, and not at all for none', async () => {
    const { log, root } = await watchedSync('exit 0');
    const durability = new Durability(root);
    await durability.flush();
    expect(await readFile(log, 'utf8')).toBe('');
    durability.note(many);
    await durability.flush();
    await durability.flush();
    expect(await readFile(log, 'utf8')).toBe(`-f ${root}\n`);
  });

  it('syncs few files one by one, also when they are gone', async () => {
    const { log, root } = await watchedSync('exit 0');
    const path = join(root, 'file');
    await writeFile(path, 'x');
    const durability = new Durability(root);
    durability.note([path]);
    await durability.flush();
    await rm(path);
    durability.note([path]);
    await durability.flush();
    expect(await readFile(log, 'utf8')).toBe('');
  });

  it('syncs every filesystem where one alone is not possible', async () => {
    const { log, root } = await watchedSync('test "$1" != -f');
    const durability = new Durability(root);
    durability.note(many);
    await durability.flush();
    expect(await readFile(log, 'utf8')).toBe(`-f ${root}\n\n`);
  });

  it('fails when syncing fails, and tries again the next time', async () => {
    const { log, root } = await watchedSync(`test -e "$(dirname "$0")/works"`);
    const durability = new Durability(root);
    durability.note(many);
    await expect(durability.flush()).rejects.toThrow();
    await writeFile(join(root, 'works'), '');
    await writeFile(log, '');

    await durability.flush();

    expect(await readFile(log, 'utf8')).toBe(`-f ${root}\n`);
  });

  it('syncs once for all who ask while a sync is running, and covers what they wrote', async () => {
    const { log, root } = await watchedSync('sleep 0.2');
    const durability = new Durability(root);
    durability.note(many);
    const first = durability.flush();
    while ((await readFile(log, 'utf8')) === '') await new Promise(setImmediate);
    durability.note(many);
    await Promise.all([first, durability.flush(), durability.flush(), durability.flush()]);
    expect((await readFile(log, 'utf8')).split('\n')).toHaveLength(3);
  });
});
