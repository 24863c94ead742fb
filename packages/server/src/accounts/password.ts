/* Passwords are kept as scrypt hashes; the original's PBKDF2 hashes are understood too (rest-api.md §5.1). */
import { pbkdf2, randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';

const scryptAsync = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);
const pbkdf2Async = promisify(pbkdf2);

const cost = { N: 2 ** 14, r: 8, p: 1 };
const keyLength = 32;
const memoryLimit = 256 * 1024 * 1024;

/** `scrypt$<N>$<r>$<p>$<salt>$<key>`, salt and key in base64. About 16 MiB and 40 ms of another thread. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await scryptAsync(password.normalize(), salt, keyLength, { ...cost, maxmem: memoryLimit });
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64'), key.toString('base64')].join('$');
}

export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [scheme, ...fields] = stored.split('$');
  if (scheme === 'scrypt') return await verifyScrypt(password, fields);
  if (scheme === 'pbkdf2_sha256') return await verifyPbkdf2(password, fields);
  return false;
}

/** Takes as long as a wrong password does, so that nobody learns which names exist. */
export async function pretendToVerify(password: string): Promise<void> {
  await scryptAsync(password.normalize(), new Uint8Array(16), keyLength, { ...cost, maxmem: memoryLimit });
}

async function verifyScrypt(password: string, fields: string[]): Promise<boolean> {
  const [n, r, p, salt, key] = fields;
  if (key === undefined || salt === undefined) return false;
  const wanted = Buffer.from(key, 'base64');
  const options = { N: Number(n), r: Number(r), p: Number(p), maxmem: memoryLimit };
  const found = await scryptAsync(password.normalize(), Buffer.from(salt, 'base64'), wanted.length, options);
  return timingSafeEqual(found, wanted);
}

async function verifyPbkdf2(password: string, fields: string[]): Promise<boolean> {
  const [iterations, salt, key] = fields;
  if (key === undefined || salt === undefined) return false;
  const wanted = Buffer.from(key, 'base64');
  const found = await pbkdf2Async(password, salt, Number(iterations), wanted.length, 'sha256');
  return timingSafeEqual(found, wanted);
}
