import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metadataKeys } from '../bundle/metadata-table.ts';
import { limitProblems } from './limits.ts';
import { askedOf, defaultRequestSettings, resolveRequest, withTag } from './request.ts';

const gibibyte = 1024 ** 3;
const left = { time: 3600, disk: 10 * gibibyte };

it('is read from what a run asks for alone', () => {
  const value = fc.oneof(
    fc.constantFrom<string | number | boolean | null>('', '0', '1g', '2h', 'x', true, false, null),
    fc.integer({ min: -1, max: 9 }),
  );
  const keys = metadataKeys('run').map(({ key }) => key);
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: keys.length }), (metadata) => {
      expect(resolveRequest(askedOf(metadata), defaultRequestSettings, left)).toEqual(
        resolveRequest(metadata, defaultRequestSettings, left),
      );
    }),
  );
});

describe('requests', () => {
  const resolve = (metadata: Parameters<typeof resolveRequest>[0], settings = {}, quota = left): unknown => {
    const resolved = resolveRequest(metadata, { ...defaultRequestSettings, ...settings }, quota);
    return resolved.ok ? resolved.value : resolved.problem;
  };

  it('have defaults', () => {
    expect(resolve({ request_network: false })).toEqual({
      cpus: 1,
      gpus: 0,
      memory: 2 * gibibyte,
      disk: 0,
      time: 0,
      image: 'codalab/default-cpu:latest',
      imageRequested: false,
      network: false,
      sharedMemory: undefined,
      queue: '',
      priority: 0,
    });
  });

  it('are read as written', () => {
    expect(
      resolve({
        request_cpus: 4,
        request_gpus: 1,
        request_memory: '1.5g',
        request_disk: '10m',
        request_time: '2h',
        request_docker_image: '',
        request_network: true,
        request_shared_memory: '64m',
        request_queue: ' tag=big ',
        request_priority: -1,
      }),
    ).toEqual({
      cpus: 4,
      gpus: 1,
      memory: 1.5 * gibibyte,
      disk: 10 * 1024 ** 2,
      time: 7200,
      image: 'codalab/default-gpu:latest',
      imageRequested: false,
      network: true,
      sharedMemory: 64 * 1024 ** 2,
      queue: 'tag=big',
      priority: -1,
    });
  });

  it('take no memory to mean the default', () => {
    expect(resolve({ request_memory: '0' })).toMatchObject({ memory: 2 * gibibyte });
    expect(resolve({ request_cpus: 0 })).toMatchObject({ cpus: 1 });
  });

  it('take 0 for not said, so that it is no way around a maximum', () => {
    const maxima = { maxTime: 600, maxDisk: gibibyte };
    expect(resolve({ request_time: '0', request_disk: '0g' }, maxima)).toMatchObject({
      time: 600,
      disk: gibibyte,
    });
    expect(resolve({ request_time: '0', request_disk: '0' })).toMatchObject({ time: 0, disk: 0 });
    expect(resolve({ request_shared_memory: '0' })).toMatchObject({ sharedMemory: undefined });
  });

  it('tell what is empty from what is missing in nothing', () => {
    const empty = {
      request_cpus: 0,
      request_gpus: 0,
      request_memory: '',
      request_disk: '',
      request_time: '',
      request_shared_memory: '',
      request_docker_image: '',
      request_queue: '',
      request_priority: 0,
      request_network: false,
    };
    const nothing = Object.fromEntries(Object.keys(empty).map((key) => [key, null]));
    expect(resolve(empty)).toEqual(resolve({}));
    expect(resolve(nothing)).toEqual(resolve({}));
  });

  it('count truth values as original servers do', () => {
    expect(resolve({ request_cpus: true, request_gpus: false, request_priority: true })).toMatchObject({
      cpus: 1,
      gpus: 0,
      priority: 1,
    });
  });

  it('may be huge', () => {
    expect(
      resolve({
        request_cpus: 1e9,
        request_memory: '8000t',
        request_time: '1000000y',
        request_priority: 1e15,
      }),
    ).toMatchObject({ cpus: 1e9, memory: 8000 * 1024 ** 4, time: 1e6 * 365 * 86400, priority: 1e15 });
    expect(resolve({ request_memory: '99999999t' })).toContain('Invalid size: 99999999t');
    expect(resolve({ request_cpus: 1e300 })).toContain('request_cpus');
  });

  it('default to what is left of quota and server maximum, never to a negative limit', () => {
    const maxima = { maxTime: 600, maxDisk: 20 * gibibyte };
    expect(resolve({}, maxima)).toMatchObject({ time: 600, disk: 10 * gibibyte - 1 });
    expect(resolve({}, maxima, { time: -5, disk: -5 })).toMatchObject({ time: 0, disk: 0 });
  });

  it('with a named image know that it was named', () => {
    expect(resolve({ request_docker_image: 'python:3' })).toMatchObject({
      image: 'python:3',
      imageRequested: true,
    });
  });

  it.each([
    ['ubuntu', 'ubuntu:latest'],
    ['ubuntu:22.04', 'ubuntu:22.04'],
    ['host:5000/img', 'host:5000/img:latest'],
    ['host:5000/img:1', 'host:5000/img:1'],
    ['a/b@sha256:ab', 'a/b@sha256:ab'],
  ])('give %s a tag', (image, expected) => {
    expect(withTag(image)).toBe(expected);
  });

  it('that cannot be read have a problem', () => {
    expect(resolve({ request_memory: 'lots' })).toBe(
      'request_memory: Invalid size: lots, expected <number>[<k|m|g|t>]',
    );
    expect(resolve({ request_time: '1w' })).toContain('request_time: Invalid duration: 1w');
    expect(resolve({ request_disk: '-1' })).toContain('request_disk');
    expect(resolve({ request_cpus: -1 })).toContain('request_cpus');
    expect(resolve({ request_gpus: 'two' })).toContain('two');
    expect(resolve({ request_cpus: 1.5 })).toContain('1.5');
    expect(resolve({ request_shared_memory: '1gb' })).toContain('request_shared_memory: Invalid size: 1gb');
  });
});

describe('limits', () => {
  const request = { disk: 0, time: 0, memory: 2 * gibibyte };

  it('let through what can be had', () => {
    expect(
      limitProblems({ disk: gibibyte, time: 3600, memory: gibibyte }, defaultRequestSettings, left),
    ).toEqual([]);
    expect(limitProblems(request, defaultRequestSettings, { time: -1, disk: -1 })).toEqual([]);
  });

  it('say what is too much, by how much', () => {
    expect(
      limitProblems(
        { disk: 11 * gibibyte, time: 7300, memory: 5 * gibibyte },
        { ...defaultRequestSettings, maxMemory: 4 * gibibyte },
        left,
      ),
    ).toEqual([
      'Requested more disk (11g) than user disk quota left (9.5g) by 1.5g',
      'Requested more time (2h1m) than user time quota left (1h0m) by 1h1m',
      'Requested more memory (5g) than maximum limit (4g) by 1g',
    ]);
    expect(limitProblems({ ...request, memory: 1024 ** 2 }, defaultRequestSettings, left)).toEqual([
      'Requested less memory (1m) than minimum limit (4m) by 3m',
    ]);
  });

  it('keep half a gibibyte of the disk quota free', () => {
    const text = 'Requested more disk (9.8g) than user disk quota left (9.5g) by 256m';
    const ask = (disk: number) => limitProblems({ ...request, disk }, defaultRequestSettings, left);
    expect(ask(9.75 * gibibyte)).toEqual([text]);
    expect(ask(9.5 * gibibyte)).toEqual([]);
  });

  it('know the server’s own maxima', () => {
    expect(
      limitProblems(
        { disk: 2 * gibibyte, time: 120, memory: 2 * gibibyte },
        { ...defaultRequestSettings, maxDisk: gibibyte, maxTime: 60 },
        left,
      ),
    ).toEqual(['Maximum job disk size (1g) exceeded (2g)', 'Maximum job time (1m0s) exceeded (2m0s)']);
  });

  it('take a bound of 0 for none', () => {
    expect(
      limitProblems({ ...request, time: 60, disk: 60 }, defaultRequestSettings, {
        time: 0,
        disk: gibibyte / 2,
      }),
    ).toEqual([]);
  });
});
