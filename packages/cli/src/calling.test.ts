import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { groups } from './catalog.ts';
import { cl, removePrograms } from './testing/programs.ts';

const home = mkdtempSync(join(tmpdir(), 'sheaf-calling-'));
afterAll(removePrograms);
afterAll(() => rmSync(home, { recursive: true, force: true }));
const env = { SHEAF_HOME: home };
const commands = groups.flatMap((group) => group.commands);

describe('what needs no server', () => {
  test('`cl` and `cl help` print the same list', async () => {
    const [plain, help] = await Promise.all([cl([], { env }), cl(['help'], { env })]);
    expect(plain).toEqual(help);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toMatch(/^CodaLab CLI version 1\.7\.3.*\nUsage: cl <command> <arguments>\n/);
    for (const { name } of commands) expect(help.stdout).toContain(`\n  ${name}`);
  });

  test.each(['-h', '--help'])('`cl %s` prints it, too, and ends with 2', async (word) => {
    const { code, stdout } = await cl([word], { env });
    expect(code).toBe(2);
    expect(stdout).toBe((await cl(['help'], { env })).stdout);
  });

  test('`cl -v` says the version, whatever follows', async () => {
    expect(await cl(['-v', 'nonsense'], { env })).toEqual({
      code: 0,
      stdout: 'CodaLab CLI version 1.7.3 (Sheaf)\n',
      stderr: '',
    });
  });

  test.each(commands.flatMap(({ name, aliases }) => [name, ...aliases]))(
    '`cl %s -h` is help on stdout',
    async (name) => {
      const { code, stdout, stderr } = await cl([name, '-h'], { env });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^usage: cl /);
    },
  );

  test('an unknown command is a syntax error that lists all', async () => {
    const { code, stdout, stderr } = await cl(['lss'], { env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain("invalid choice: 'lss'");
    expect(stderr).toContain("'upload'");
  });

  test.each([
    [['cat']],
    [['cat', 'a', '--nonsense']],
    [['cat', 'a', '--head', 'x']],
    [['run', '--request-', '1', 'x']],
    [['--help', 'x']],
  ])('%j is a syntax error: usage on stderr, code 2', async (words) => {
    const { code, stdout, stderr } = await cl(words, { env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('usage: cl');
  });

  test('`cl config` makes the file, and reads it back', async () => {
    expect((await cl(['config', 'a/b', 'value'], { env })).code).toBe(0);
    await cl(['config', 'a/n', '2.5'], { env });
    expect((await cl(['config', 'a/b'], { env })).stdout).toBe('value\n');
    expect((await cl(['config', 'a'], { env })).stdout).toBe('{"b":"value","n":2.5}\n');
    expect((await cl(['config', 'a', '-r'], { env })).code).toBe(0);
    expect(await cl(['config', 'a/b'], { env })).toMatchObject({ code: 1, stdout: '' });
  });

  test('`cl alias` sets, shows and removes', async () => {
    await cl(['alias', 'near', 'http://near:1'], { env });
    expect((await cl(['alias', 'near'], { env })).stdout).toBe('near: http://near:1\n');
    expect((await cl(['alias'], { env })).stdout).toContain('main: https://worksheets.codalab.org\n');
    await cl(['alias', 'near', '-r'], { env });
    expect((await cl(['alias', 'near'], { env })).stdout).toBe('near: <none>\n');
    expect(await cl(['alias', 'near', '-r'], { env })).toMatchObject({ code: 1 });
  });

  test('`cl logout` of anywhere is silent', async () => {
    expect(await cl(['logout', 'http://nowhere'], { env })).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('it starts with nothing in its environment but a home', async () => {
    const { code } = await cl(['help'], { env: { CODALAB_HOME: home } });
    expect(code).toBe(0);
  });
});

describe('a server that is not there', () => {
  const away = { ...env, CODALAB_USERNAME: 'a', CODALAB_PASSWORD: 'b' };

  test('is named in one line, with what to do', async () => {
    const { code, stdout, stderr } = await cl(['ls', '-w', 'http://127.0.0.1:9::x'], { env: away });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      'ConnectionError: Cannot reach http://127.0.0.1:9: nothing listens there.\n' +
        'Start a server with `npm start`, or go to another one with `cl work <address>::`.\n',
    );
  });

  test('an unknown alias is no address, and the session stays where it was', async () => {
    const { code, stderr } = await cl(['work', 'foo::'], { env: away });
    expect(code).toBe(1);
    expect(stderr).toContain('ConnectionError: "foo" is not the address of a server.');
  });
});

test('a broken configuration is shown on stderr', async () => {
  const { code, stdout, stderr } = await cl(['status'], {
    env: { ...env, CODALAB_CONFIG: import.meta.filename },
  });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(`Invalid JSON in ${import.meta.filename}:`);
});
