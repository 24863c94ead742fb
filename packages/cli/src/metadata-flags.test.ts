import { describe, expect, it } from 'vitest';
import type { Metadata } from '@sheaf/domain';
import { parseArguments } from './arguments/parse.ts';
import { metadataFlags, metadataOf } from './metadata-flags.ts';

function given(...words: string[]): Metadata {
  const parsed = parseArguments(words, { name: 'run', positionals: [], flags: metadataFlags('run') });
  if (parsed === 'help') throw new Error('help');
  return metadataOf('run', parsed, 'r');
}

describe('requests on the command line', () => {
  it('have the defaults that servers expect', () => {
    expect(given()).toEqual({
      name: 'r',
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

  it('are taken as typed; the server judges what they mean', () => {
    const words =
      '--request-cpus 8 --request-gpus 2 --request-memory 1.5G --request-disk 10m --request-time 2d ' +
      '--request-queue tag=big --request-priority -3 --request-docker-image host:5000/image --request-shared-memory 4g';
    expect(given(...words.split(' '))).toMatchObject({
      request_cpus: 8,
      request_gpus: 2,
      request_memory: '1.5G',
      request_disk: '10m',
      request_time: '2d',
      request_queue: 'tag=big',
      request_priority: -3,
      request_docker_image: 'host:5000/image',
      request_shared_memory: '4g',
    });
    expect(given('--request-memory', '')).toMatchObject({ request_memory: '' });
    expect(given('--request-cpus', '-1')).toMatchObject({ request_cpus: -1 });
  });

  it('can take the network away', () => {
    expect(given('--request-network')).toMatchObject({ request_network: true });
    expect(given('--no-request-network')).toMatchObject({ request_network: false });
    expect(() => given('--no-request-network', '--request-network')).toThrow('exclude each other');
  });

  it.each(['1.5', 'many', ''])('refuse to count %j cores', (text) => {
    expect(() => given('--request-cpus', text)).toThrow(/request-cpus/);
  });
});
