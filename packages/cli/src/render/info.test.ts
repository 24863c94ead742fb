import type { Bundle } from '@sheaf/client';
import { expect, test } from 'vitest';
import { infoLines } from './info.ts';

const uuid = `0x${'1'.repeat(32)}`;
const bundle = (more: object = {}): Bundle =>
  ({
    id: uuid,
    type: 'bundles',
    uuid,
    bundle_type: 'run',
    state: 'staged',
    command: 'echo hi',
    frozen: null,
    is_anonymous: false,
    owner: { id: '3', type: 'users', user_name: 'alice' },
    metadata: {
      name: 'r',
      description: '',
      tags: ['a', 'b'],
      data_size: 1536,
      request_memory: '2g',
      time: 100,
      staged_status: 'No worker is free.',
      error_traceback: 'secret',
      exclude_patterns: [],
    },
    dependencies: [
      {
        child_path: 'k',
        parent_uuid: uuid,
        parent_path: 'p',
        parent_name: null,
        child_uuid: uuid,
        parent_state: null,
      },
    ],
    ...more,
  }) as unknown as Bundle;

const plain = { raw: false, verbose: false, hidden: false, locations: [] };

test('values are formatted, empty and hidden ones left out', () => {
  expect(infoLines(bundle(), plain)).toEqual([
    'bundle_type               : run',
    `uuid                      : ${uuid}`,
    'state                     : staged',
    'command                   : echo hi',
    'frozen                    : <none>',
    'is_anonymous              : False',
    'owner                     : alice(3)',
    'name                      : r',
    'tags                      : a b',
    'data_size                 : 1.5k',
    'request_memory            : 2g',
    'time                      : 1m40s',
    'staged_status             : No worker is free.',
    'dependencies:',
    `  k: <none>(${uuid})/p`,
  ]);
});

test('what a run waits for shows while it waits; how it is executed, once that is known', () => {
  const lines = infoLines(
    bundle({ state: 'running', metadata: { ...bundle().metadata, runtime: 'sandbox' } }),
    plain,
  );
  expect(lines.some((line) => line.startsWith('staged_status'))).toBe(false);
  expect(lines).toContain('runtime                   : sandbox');
});

test('raw shows every key as it is', () => {
  const lines = infoLines(bundle(), { ...plain, raw: true });
  expect(lines).toContain('data_size                 : 1536');
  expect(lines).toContain("tags                      : ['a', 'b']");
  expect(lines).toContain('docker_image              : <none>');
});

test('hidden keys are for administrators, stores for everybody', () => {
  const lines = infoLines(bundle(), {
    raw: false,
    verbose: false,
    hidden: true,
    locations: [{ name: 'blob' }, { name: 'disk1' }],
  });
  expect(lines).toContain('error_traceback           : secret');
  expect(lines).toContain('bundle stores             : blob,disk1');
});

test('what only those who look closely care for shows with -v and -r', () => {
  const run = bundle({ metadata: { ...bundle().metadata, action_key: 'abc' } });
  const line = 'action_key                : abc';
  expect(infoLines(run, plain)).not.toContain(line);
  expect(infoLines(run, { ...plain, verbose: true })).toContain(line);
  expect(infoLines(run, { ...plain, raw: true })).toContain(line);
});

test('a bundle that may not be read shows what there is', () => {
  const masked = bundle({
    bundle_type: 'private',
    state: null,
    command: null,
    is_anonymous: null,
    owner: null,
    metadata: { name: '<private>' },
    dependencies: [],
  });
  const lines = infoLines(masked, plain);
  expect(lines).toContain('owner                     : <anonymous>');
  expect(lines).toContain('name                      : <private>');
});
