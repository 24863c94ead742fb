import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCommandLine } from './command-line.ts';
import { readCredentials } from './credentials.ts';

describe('credentials', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sheaf-credentials-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const file = (text: string, mode = 0o600) => {
    const path = join(directory, 'file');
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  const alice = { username: 'alice', password: 'secret word' };
  const read = (words: string[], environment = {}) =>
    readCredentials(parseCommandLine(words), environment, undefined);

  it('come from a password file', async () => {
    expect(await read(['--password-file', file('alice\nsecret word\n')])).toEqual(alice);
  });

  it('come from the file of a server', async () => {
    expect(await read(['--credentials', file(JSON.stringify(alice))])).toEqual(alice);
  });

  it('come from the environment', async () => {
    expect(await read([], { CODALAB_USERNAME: 'alice', CODALAB_PASSWORD: 'secret word' })).toEqual(alice);
  });

  it('are asked for where somebody is there, as far as they are missing', async () => {
    const questions: string[] = [];
    const answer = (text: string) => async (question: string) => {
      questions.push(question);
      return text;
    };
    const prompt = { line: answer('alice'), secret: answer('secret word') };
    const asked = (environment: Record<string, string>) =>
      readCredentials(parseCommandLine([]), environment, prompt);

    expect(await asked({})).toEqual(alice);
    expect(await asked({ CODALAB_USERNAME: 'bob' })).toEqual({ username: 'bob', password: 'secret word' });
    expect(questions).toEqual(['User name: ', 'Password of alice: ', 'Password of bob: ']);
    await expect(
      readCredentials(parseCommandLine([]), {}, { ...prompt, secret: answer('') }),
    ).rejects.toThrow('The worker needs the password of alice.');
  });

  it.each([0o640, 0o604, 0o610, 0o601, 0o660])(
    'are refused from a file that others can read (%o)',
    async (mode) => {
      const path = file('alice\nsecret\n', mode);

      await expect(read(['--password-file', path])).rejects.toThrow(`chmod 600 ${path}`);
    },
  );

  it.each([
    [() => ['--password-file', file('alice')], /first line/],
    [() => ['--password-file', '/no/such/file'], /cannot be read/],
    [() => ['--credentials', file('alice')], /must hold JSON/],
    [() => [], /CODALAB_USERNAME/],
  ])('are asked for in one sentence where they are missing (%#)', async (words, sentence) => {
    await expect(read(words())).rejects.toThrow(sentence);
  });
});
