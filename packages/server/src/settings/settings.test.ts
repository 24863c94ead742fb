import { expect, it } from 'vitest';
import { readSettings, SettingsError } from './settings.ts';

it('has a default for everything', () => {
  const settings = readSettings({ SHEAF_HOME: '/data', SHEAF_PORT: '' });

  expect(settings).toMatchObject({
    home: '/data',
    sharedDirectory: '/data/shared',
    host: '127.0.0.1',
    port: 2900,
    database: { engine: 'sqlite', file: '/data/database/sheaf.sqlite' },
    administrator: { name: 'codalab', password: undefined },
    newUser: { timeQuota: 100 * 365 * 86_400, diskQuota: 100 * 1024 ** 3, parallelRuns: 100 },
    limits: { requestTimeMax: undefined, requestMemoryMin: 4 * 1024 ** 2 },
    workerTimeout: 60_000,
    protectedMode: false,
  });
});

it('reads sizes, durations, flags and addresses', () => {
  const settings = readSettings({
    SHEAF_HOME: '/data',
    SHEAF_DISK_QUOTA: '1.5g',
    SHEAF_MAX_REQUEST_TIME: '2h',
    SHEAF_DEFAULT_CPU_IMAGE: 'a:1',
    SHEAF_DATABASE_URL: 'postgresql://host/name',
    CODALAB_PROTECTED_MODE: 'True',
  });

  expect(settings.newUser.diskQuota).toBe(1.5 * 1024 ** 3);
  expect(settings.limits.requestTimeMax).toBe(7200);
  expect(settings.images).toEqual({ cpu: 'a:1', gpu: 'a:1' });
  expect(settings.database).toEqual({ engine: 'postgresql', url: 'postgresql://host/name' });
  expect(settings.protectedMode).toBe(true);
});

it.each([
  [{ SHEAF_PORT: '70000' }, 'SHEAF_PORT'],
  [{ SHEAF_DISK_QUOTA: 'lots' }, 'SHEAF_DISK_QUOTA: Invalid size: lots'],
  [{ SHEAF_TIME_QUOTA: '1 day' }, 'SHEAF_TIME_QUOTA: Invalid duration'],
  [{ SHEAF_LOG_LEVEL: 'loud' }, 'SHEAF_LOG_LEVEL'],
  [{ SHEAF_DATABASE_URL: 'mysql://x' }, 'SHEAF_DATABASE_URL'],
])('names the setting in %j', (variables, named) => {
  expect(() => readSettings(variables)).toThrow(SettingsError);
  expect(() => readSettings(variables)).toThrow(named);
});
