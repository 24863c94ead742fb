import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findCredentials, type Prompt } from './credentials.ts';
import { placesOf, type Environment } from './places.ts';

let sheaf: string;
let said: string;
const local = 'http://127.0.0.1:5000';

beforeEach(() => {
  sheaf = mkdtempSync(join(tmpdir(), 'sheaf-credentials-'));
  said = '';
  writeFileSync(join(sheaf, 'server.json'), JSON.stringify({ url: local }));
  writeFileSync(join(sheaf, 'administrator.json'), JSON.stringify({ username: 'root', password: 'made' }), {
    mode: 0o600,
  });
});
afterEach(() => rmSync(sheaf, { recursive: true, force: true }));

function find(address: string, environment: Environment, typed: string[] = []) {
  const next = (question: string) => {
    said += question;
    return Promise.resolve(typed.shift() ?? '');
  };
  const prompt: Prompt = { line: next, secret: next, note: (text) => void (said += text) };
  return findCredentials(address, environment, placesOf({ SHEAF_HOME: sheaf }), () =>
    Promise.resolve(prompt),
  );
}

test('the environment comes first, and nobody is asked', async () => {
  const environment = { CODALAB_USERNAME: 'a', CODALAB_PASSWORD: 'b' };
  expect(await find(local, environment)).toEqual({ username: 'a', password: 'b' });
  expect(said).toBe('');
});

test('what is missing there is asked for', async () => {
  expect(await find(local, { CODALAB_USERNAME: 'a' }, ['typed'])).toEqual({
    username: 'a',
    password: 'typed',
  });
  expect(said).toBe(`Requesting access at ${local}\nPassword: `);
});

test("this machine's own server takes its administrator without asking", async () => {
  expect(await find(local, {})).toEqual({ username: 'root', password: 'made' });
  expect(said).toBe('');
});

test('that account is given to no other address', async () => {
  expect(await find('http://127.0.0.1:5001', {}, ['me', 'secret'])).toEqual({
    username: 'me',
    password: 'secret',
  });
});

test('nor is it taken from a file that others can read', async () => {
  chmodSync(join(sheaf, 'administrator.json'), 0o644);
  expect(await find(local, {}, ['me', 'secret'])).toEqual({ username: 'me', password: 'secret' });
});

test('no name means not to sign in', async () => {
  expect(await find('http://elsewhere', {}, [''])).toBeUndefined();
});
