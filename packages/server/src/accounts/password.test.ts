import { pbkdf2Sync } from 'node:crypto';
import { expect, it } from 'vitest';
import { hashPassword, verifyPassword } from './password.ts';

it('verifies what it hashed, salted', async () => {
  const hash = await hashPassword('correct-horse');

  expect(hash).not.toContain('correct-horse');
  expect(hash).not.toBe(await hashPassword('correct-horse'));
  expect(await verifyPassword('correct-horse', hash)).toBe(true);
  expect(await verifyPassword('correct-horsE', hash)).toBe(false);
});

it('verifies hashes of an original database', async () => {
  const key = pbkdf2Sync('secret', 'saltsaltsalt', 30_000, 32, 'sha256').toString('base64');
  const hash = `pbkdf2_sha256$30000$saltsaltsalt$${key}`;

  expect(await verifyPassword('secret', hash)).toBe(true);
  expect(await verifyPassword('other', hash)).toBe(false);
});

it.each(['', 'plain', 'scrypt$1', 'md5$a$b'])('never verifies against %j', async (stored) => {
  expect(await verifyPassword('', stored)).toBe(false);
});
