import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readJsonFile } from '@sheaf/client/node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSession, writeSession } from './state.ts';

let home: string;
let path: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sheaf-state-'));
  path = join(home, 'state.json');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const here = { hostname: 'here', isAlive: (pid: number) => pid === 1 };
const session = { address: 'http://h', worksheet_uuid: '0x1' };

test('a session is found again, and one that is not there is new', async () => {
  expect(readSession(path, '7')).toBeUndefined();
  await writeSession(path, '7', session, here);
  expect(readSession(path, '7')).toEqual(session);
});

test('sessions of processes that have ended are dropped, all others and the tokens stay', async () => {
  const auth = { 'http://h': { username: 'a', token_info: {} } };
  const sessions = {
    1: { ...session, host: 'here' },
    2: { ...session, host: 'here' },
    3: { ...session, host: 'there' },
    4: session,
    named: { ...session, host: 'here' },
  };
  writeFileSync(path, JSON.stringify({ auth, sessions }));
  await writeSession(path, '9', session, here);
  const file = readJsonFile(path) as { auth: object; sessions: object };
  expect(file.auth).toEqual(auth);
  expect(Object.keys(file.sessions).toSorted()).toEqual(['1', '3', '4', '9', 'named']);
});
