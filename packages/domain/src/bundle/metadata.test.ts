import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayMetadata } from './display-metadata.ts';
import {
  clientDefaults,
  completeMetadata,
  keysClearedOnRestage,
  metadataAfterRestage,
  metadataTexts,
  withoutIdentifyingKeys,
} from './metadata-defaults.ts';
import { metadataFlag, metadataKey, metadataKeys, metadataTypeOf } from './metadata-table.ts';
import { bundleTypes } from './states.ts';
import { metadataValueFromText, validateMetadata } from './validate-metadata.ts';

const run = { name: 'run-python', ...clientDefaults('run') };

describe('the table', () => {
  it('has the keys of every type in display order', () => {
    expect(metadataKeys('dataset').map(({ key }) => key)).toEqual([
      'name',
      'description',
      'tags',
      'created',
      'data_size',
      'failure_message',
      'error_traceback',
      'license',
      'source_url',
      'link_url',
      'link_format',
      'store',
    ]);
    expect(metadataKeys('program')).toEqual(metadataKeys('dataset'));
    expect(metadataKeys('make').map(({ key }) => key)).toEqual([
      'name',
      'description',
      'tags',
      'created',
      'data_size',
      'failure_message',
      'error_traceback',
      'allow_failed_dependencies',
      'staged_status',
      'store',
    ]);
    const run =
      'name description tags created data_size failure_message error_traceback allow_failed_dependencies ' +
      'request_docker_image request_time request_memory request_disk request_shared_memory request_cpus request_gpus request_queue ' +
      'request_priority request_network cpu_usage memory_usage exclude_patterns store actions time time_user ' +
      'time_system memory memory_max started last_updated run_status staged_status time_preparing time_running ' +
      'time_cleaning_up time_uploading_results docker_image runtime action_key exitcode job_handle remote remote_history ' +
      'on_preemptible_worker';
    expect(metadataKeys('run').map(({ key }) => key)).toEqual(run.split(' '));
  });

  it('explains every key in one sentence, and each key once', () => {
    for (const type of bundleTypes) {
      const keys = metadataKeys(type);
      expect(new Set(keys.map(({ key }) => key)).size).toBe(keys.length);
      for (const { help } of keys) expect(help).toMatch(/^[A-Z].*\.$/);
    }
  });

  it('gives a key the same type in every bundle type', () => {
    for (const type of bundleTypes) {
      for (const { key, type: valueType } of metadataKeys(type)) expect(metadataTypeOf(key)).toBe(valueType);
    }
    expect(metadataTypeOf('nonsense')).toBeUndefined();
  });

  it('derives flags', () => {
    expect(metadataFlag('request_docker_image')).toBe('--request-docker-image');
  });
});

describe('client defaults', () => {
  it('are what cl sends for a run', () => {
    expect(clientDefaults('run')).toEqual({
      description: '',
      tags: [],
      allow_failed_dependencies: false,
      request_docker_image: '',
      request_time: '',
      request_memory: '2g',
      request_disk: '',
      request_cpus: 1,
      request_gpus: 0,
      request_queue: '',
      request_priority: 0,
      request_network: true,
      exclude_patterns: [],
      store: '',
    });
  });

  it('are what cl sends for an upload', () => {
    expect(clientDefaults('dataset')).toEqual({
      description: '',
      tags: [],
      license: '',
      source_url: '',
      link_url: '',
      link_format: '',
      store: '',
    });
  });

  it('hand out lists nobody shares', () => {
    const first = clientDefaults('run');
    (first['tags'] as string[]).push('x');
    expect(clientDefaults('run')['tags']).toEqual([]);
  });
});

describe('validation', () => {
  it('accepts what clients send', () => {
    expect(validateMetadata('run', run)).toBeUndefined();
    expect(validateMetadata('make', { name: 'm', ...clientDefaults('make') })).toBeUndefined();
    expect(
      validateMetadata('dataset', { name: 'd', description: '', license: '', source_url: '', tags: [''] }),
    ).toBeUndefined();
    expect(validateMetadata('run', { ...run, request_priority: null, created: 5, time: 3 })).toBeUndefined();
    expect(validateMetadata('run', { ...run, exitcode: true })).toBeUndefined();
  });

  it.each([
    [{ ...run, actions2: [] }, 'Unexpected metadata key: actions2'],
    [{ ...run, constructor: 'x' }, 'Unexpected metadata key: constructor'],
    [{ ...run, request_memory: '3kb' }, 'Invalid size: 3kb, expected <number>[<k|m|g|t>]'],
    [{ ...run, request_disk: 'x' }, 'Invalid size: x, expected <number>[<k|m|g|t>]'],
    [{ ...run, request_time: '2d4h' }, 'Invalid duration: 2d4h, expected <number>[<s|m|h|d|y>]'],
    [{ ...run, request_memory: 5 }, 'Metadata value for request_memory should be of type str, not int'],
    [{ ...run, request_cpus: '2' }, 'Metadata value for request_cpus should be of type int, not str'],
    [{ ...run, request_cpus: 1.5 }, 'Metadata value for request_cpus should be of type int, not float'],
    [{ ...run, request_cpus: -1 }, 'Metadata value for request_cpus should be 0 or more, not -1'],
    [{ ...run, request_gpus: -2 }, 'Metadata value for request_gpus should be 0 or more, not -2'],
    [{ ...run, request_cpus: 1e300 }, 'Metadata value for request_cpus should be of type int, not int'],
    [{ ...run, request_gpus: 0.5 }, 'Metadata value for request_gpus should be of type int, not float'],
    [{ ...run, request_memory: '-1g' }, 'Invalid size: -1g, expected <number>[<k|m|g|t>]'],
    [{ ...run, request_memory: '10.5' }, 'Invalid size: 10.5, expected <number>[<k|m|g|t>]'],
    [{ ...run, request_memory: ' 2g' }, 'Invalid size:  2g, expected <number>[<k|m|g|t>]'],
    [{ ...run, request_disk: '99999999t' }, 'Invalid size: 99999999t, expected <number>[<k|m|g|t>]'],
    [{ ...run, request_disk: 0 }, 'Metadata value for request_disk should be of type str, not int'],
    [{ ...run, request_time: '-5' }, 'Invalid duration: -5, expected <number>[<s|m|h|d|y>]'],
    [{ ...run, request_time: '1w' }, 'Invalid duration: 1w, expected <number>[<s|m|h|d|y>]'],
    [{ ...run, request_shared_memory: '1gb' }, 'Invalid size: 1gb, expected <number>[<k|m|g|t>]'],
    [
      { ...run, request_shared_memory: 64 },
      'Metadata value for request_shared_memory should be of type str, not int',
    ],
    [{ ...run, request_queue: 5 }, 'Metadata value for request_queue should be of type str, not int'],
    [
      { ...run, request_priority: 0.5 },
      'Metadata value for request_priority should be of type int, not float',
    ],
    [
      { ...run, request_docker_image: ['a'] },
      'Metadata value for request_docker_image should be of type str, not list',
    ],
    [{ ...run, request_network: 'no' }, 'Metadata value for request_network should be of type bool, not str'],
    [{ ...run, request_network: 1 }, 'Metadata value for request_network should be of type bool, not int'],
    [{ ...run, tags: 'a' }, 'Metadata value for tags should be of type list, not str'],
    [{ ...run, time: '1' }, 'Metadata value for time should be of type float, not str'],
    [{ name: 'x' }, 'Missing metadata key: description'],
    [{ ...run, name: '' }, 'Bundles must have non-empty names'],
    [{ ...run, name: null }, 'Bundles must have non-empty names'],
    [{ ...run, description: 'é' }, 'Invalid character detected; use ascii characters only.'],
    [{ ...run, tags: ['a', 'ü'] }, 'Invalid character detected; use ascii characters only.'],
  ])('refuses %#', (metadata, problem) => {
    expect(validateMetadata('run', metadata)).toBe(problem);
  });

  it('names a malformed name', () => {
    expect(validateMetadata('run', { ...run, name: '1a' })).toContain('1a');
    expect(validateMetadata('run', { ...run, name: 'a\n' })).toContain('Invalid bundle name');
  });
});

describe('completing on read', () => {
  it('supplies zeros of the user, lists and nothing else', () => {
    expect(completeMetadata('run', { name: 'r', request_priority: null, unknown: 3 })).toEqual({
      actions: [],
      allow_failed_dependencies: false,
      description: '',
      exclude_patterns: [],
      name: 'r',
      remote_history: [],
      request_cpus: 0,
      request_disk: '',
      request_docker_image: '',
      request_gpus: 0,
      request_memory: '',
      request_network: false,
      request_priority: 0,
      request_queue: '',
      request_time: '',
      store: '',
      tags: [],
    });
  });

  it('sorts keys and keeps what is stored', () => {
    const complete = completeMetadata('dataset', { name: 'd', created: 17, data_size: 0 });
    expect(Object.keys(complete)).toEqual(Object.keys(complete).toSorted());
    expect(complete).toMatchObject({ created: 17, data_size: 0 });
  });

  it('always passes validation when the stored values were valid', () => {
    fc.assert(
      fc.property(fc.constantFrom(...bundleTypes), fc.subarray(['created', 'data_size']), (type, keys) => {
        const stored = { name: 'n', ...Object.fromEntries(keys.map((key) => [key, 1])) };
        return validateMetadata(type, completeMetadata(type, stored)) === undefined;
      }),
    );
  });
});

describe('restaging', () => {
  it('forgets what the attempt left behind, but not where it was', () => {
    const after = metadataAfterRestage({
      name: 'r',
      request_cpus: 2,
      created: 1,
      actions: ['kill'],
      remote_history: ['node7'],
      remote: 'w',
      started: 5,
      data_size: 9,
      run_status: 'x',
    });
    expect(after).toEqual({
      name: 'r',
      request_cpus: 2,
      created: 1,
      actions: ['kill'],
      remote_history: ['node7'],
      staged_status: 'Waiting for a worker to take the run.',
    });
    expect(keysClearedOnRestage).toContain('failure_message');
    expect(keysClearedOnRestage).not.toContain('created');
  });
});

describe('display metadata', () => {
  it('locks keys of a run once it left the waiting room', () => {
    const staged = displayMetadata('run', 'staged').editable_metadata_keys;
    expect(staged).toContain('request_memory');
    expect(staged).not.toContain('created');
    expect(displayMetadata('run', 'running').editable_metadata_keys).toEqual(['name', 'description', 'tags']);
  });

  it('labels values and describes every key', () => {
    const { metadata_type: types, metadata_descriptions: descriptions } = displayMetadata('run', 'ready');
    expect(types).toMatchObject({
      created: 'date',
      data_size: 'size',
      time: 'duration',
      request_memory: 'str',
      tags: 'list',
    });
    expect(Object.keys(descriptions)).toEqual(metadataKeys('run').map(({ key }) => key));
  });

  it('hides who an anonymous run belongs to', () => {
    expect(
      withoutIdentifyingKeys('run', { name: 'r', remote: 'host', request_queue: 'q', exitcode: 0 }),
    ).toEqual({
      name: 'r',
      exitcode: 0,
    });
  });
});

describe('values from text', () => {
  const read = (key: string, text: string): unknown => {
    const specification = metadataKey('run', key);
    return specification === undefined ? undefined : metadataValueFromText(specification, text);
  };

  it('reads what the key holds', () => {
    expect(read('request_cpus', ' 4 ')).toEqual({ ok: true, value: 4 });
    expect(read('request_network', 'False')).toEqual({ ok: true, value: false });
    expect(read('tags', ' a  b ')).toEqual({ ok: true, value: ['a', 'b'] });
    expect(read('description', ' a ')).toEqual({ ok: true, value: ' a ' });
    expect(read('time', '1.5')).toEqual({ ok: true, value: 1.5 });
    expect(read('request_gpus', '')).toEqual({ ok: true, value: null });
    expect(read('request_cpus', '1.5')).toMatchObject({ ok: false });
    expect(read('request_network', 'maybe')).toMatchObject({ ok: false });
  });

  it('gives texts to search by', () => {
    expect(metadataTexts(true)).toEqual(['True']);
    expect(metadataTexts(['a', 'b'])).toEqual(['a', 'b']);
    expect(metadataTexts(0.5)).toEqual(['0.5']);
    expect(metadataTexts(null)).toEqual([]);
  });
});
