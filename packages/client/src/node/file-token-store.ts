/** Tokens in the `auth` part of a JSON file, beside whatever else it holds (cli.md §2.9). */
import type { SignedIn, TokenStore } from '../token-store.ts';
import { readJsonFile, updateJsonFile } from './json-file.ts';

type Entries = Record<string, SignedIn>;

export function fileTokenStore(path: string): TokenStore {
  const change = (alter: (entries: Entries) => Entries) =>
    updateJsonFile(path, (current) => {
      const file = isObject(current) ? current : { sessions: {} };
      return { ...file, auth: alter(entriesOf(file)) };
    });
  return {
    read: (address) => Promise.resolve(entriesOf(readJsonFile(path))[address]),
    write: (address, signedIn) => change((entries) => ({ ...entries, [address]: signedIn })),
    remove: (address) =>
      change((entries) => Object.fromEntries(Object.entries(entries).filter(([one]) => one !== address))),
  };
}

/** Entries without a token are left out: a damaged one counts as signed out. */
function entriesOf(file: unknown): Entries {
  const auth = isObject(file) ? file['auth'] : undefined;
  if (!isObject(auth)) return {};
  return Object.fromEntries(
    Object.entries(auth).filter((entry): entry is [string, SignedIn] => isSignedIn(entry[1])),
  );
}

function isSignedIn(value: unknown): value is SignedIn {
  if (!isObject(value) || !isObject(value['token_info'])) return false;
  const { access_token: token, expires_at: expires } = value['token_info'];
  return typeof token === 'string' && typeof expires === 'number';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
