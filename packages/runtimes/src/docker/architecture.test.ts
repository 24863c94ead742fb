import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { canExecute } from './architecture.ts';

let registered: string;
beforeEach(() => {
  registered = mkdtempSync(join(tmpdir(), 'sheaf-binfmt-'));
});
afterEach(() => rmSync(registered, { recursive: true }));

const see = (name: string): void => writeFileSync(join(registered, name), '');

it.each([
  ['amd64', 'amd64'],
  ['386', 'amd64'],
  ['arm', 'arm64'],
])('an image for %s is executed on %s', (image, own) => {
  see('status');
  expect(canExecute(image, own, registered)).toBe(true);
});

it('an image for another kind of processor needs an emulator', () => {
  see('status');
  expect(canExecute('arm64', 'amd64', registered)).toBe(false);
  see('qemu-aarch64');
  expect(canExecute('arm64', 'amd64', registered)).toBe(true);
  expect(canExecute('s390x', 'amd64', registered)).toBe(false);
});

it('nothing is certain where the list of emulators is not to be seen', () => {
  expect(canExecute('arm64', 'amd64', registered)).toBeUndefined();
});
