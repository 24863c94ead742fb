import { expect, it } from 'vitest';
import { nameServers } from './host-files.ts';

it.each([
  ['a server of the network', ['search lab\nnameserver 10.0.0.1\n'], 'search lab\nnameserver 10.0.0.1\n'],
  [
    'one on the machine and one elsewhere',
    ['nameserver 127.0.0.53\nnameserver 10.0.0.1'],
    'nameserver 10.0.0.1\n',
  ],
  [
    'only one on the machine, and a second file',
    ['nameserver 127.0.0.53\n', 'nameserver 9.9.9.9\n'],
    'nameserver 9.9.9.9\n',
  ],
  ['nothing', ['', ''], 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n'],
])('runs ask %s', (_, files, expected) => {
  expect(nameServers(files)).toBe(expected);
});
