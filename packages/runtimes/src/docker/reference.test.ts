import { describe, expect, it } from 'vitest';
import { formatImageReference, isImageReference, parseImageReference, registryOf } from './reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

describe('names of images', () => {
  it.each([
    ['debian', 'debian', 'latest', undefined],
    ['debian:12', 'debian', '12', undefined],
    ['codalab/default-cpu:latest', 'codalab/default-cpu', 'latest', undefined],
    ['host:5000/image', 'host:5000/image', 'latest', undefined],
    ['host:5000/deep/image:tag', 'host:5000/deep/image', 'tag', undefined],
    [`debian@${digest}`, 'debian', undefined, digest],
    [`host:5000/image:tag@${digest}`, 'host:5000/image', 'tag', digest],
  ])('%s is understood', (text, repository, tag, expected) => {
    expect(isImageReference(text)).toBe(true);
    expect(parseImageReference(text)).toEqual({ repository, tag, digest: expected });
  });

  it('ask for the digest where there is one', () => {
    expect(formatImageReference(parseImageReference(`debian:12@${digest}`))).toBe(`debian@${digest}`);
    expect(formatImageReference(parseImageReference('debian'))).toBe('debian:latest');
  });

  it.each([
    '',
    'Debian',
    'a b',
    'a?b',
    'a//b',
    '../x',
    'x:',
    ':x',
    'x@sha256:12',
    '/x',
    'x/',
    'a:b:c',
    'a\nb',
  ])('%j is none', (text) => expect(isImageReference(text)).toBe(false));

  it.each([
    ['debian', 'https://index.docker.io/v1/'],
    ['codalab/default-cpu', 'https://index.docker.io/v1/'],
    ['ghcr.io/a/b', 'ghcr.io'],
    ['localhost/a', 'localhost'],
    ['host:5000/a', 'host:5000'],
  ])('%s is kept by %s', (repository, registry) => expect(registryOf(repository)).toBe(registry));
});
