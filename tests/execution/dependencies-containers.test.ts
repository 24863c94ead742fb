/* Inputs in containers, and results recognised by the digest of the image that made them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, pythonImage, requireDockerEngine, requireRegistry } from '@sheaf/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';

describeWith('in containers', [requireDockerEngine, requireRegistry], () => {
  let installation: Installation;
  let directory: string;
  let image: string;
  let corpus: string;
  beforeAll(async () => {
    image = await pythonImage(await requireRegistry());
    installation = await Installation.start('docker', { SHEAF_DEFAULT_CPU_IMAGE: image });
    directory = mkdtempSync(join(tmpdir(), 'sheaf-containers-'));
    const source = join(directory, 'corpus');
    mkdirSync(join(source, 'train'), { recursive: true });
    writeFileSync(join(source, 'train', 'a.txt'), 'alpha\n');
    writeFileSync(join(source, 'tool'), '#!/bin/sh\necho tool "$@"\n', { mode: 0o755 });
    corpus = await installation.ok('upload', source);
  });
  afterAll(async () => {
    await installation.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const command =
    'cat a/train/a.txt again/train/a.txt n/e/s/t n/e/u train/a.txt /foo/bar /foo/baz/a.txt; ./tool here; ' +
    '(echo x > a/new || echo x > /foo/bar || rm a/tool) 2>/dev/null && echo wrote; echo kept > kept; ls -A /foo';
  const inputs = () => [
    `a:${corpus}`,
    `again:${corpus}`,
    `n/e/s/t:${corpus}/train/a.txt`,
    `n/e/u:${corpus}/train/a.txt`,
    `.:${corpus}`,
    `/foo/bar:${corpus}/train/a.txt`,
    `/foo/baz:${corpus}/train`,
  ];
  let first: string;

  it('every kind of key is there, read-only, and no part of the result', async () => {
    first = await installation.ok('run', ...inputs(), command);
    const { state, metadata } = await installation.finished(first);
    expect({ state, failure: metadata['failure_message'] }).toMatchObject({ state: 'ready' });
    expect((await installation.cl(['cat', `${first}/stdout`])).stdout).toBe(
      `${'alpha\n'.repeat(7)}tool here\nbar\nbaz\n`,
    );
    expect((await installation.cl(['cat', `${first}/n/e/s/t`])).stdout).toBe('alpha\n');
    const listing = await installation.ok('cat', first);
    expect(listing).toContain('kept');
    for (const hidden of ['again', 'train', 'tool', 'foo']) expect(listing).not.toContain(hidden);
  });

  it('a result is found by the digest of its image, whatever the image was called', async () => {
    const { metadata } = await installation.bundle(first);
    const digest = String(metadata['docker_image']);
    expect(digest).toMatch(/@sha256:[0-9a-f]{64}$/);
    expect(metadata['action_key']).toMatch(/^[0-9a-f]{64}$/);
    for (const words of [[], ['--request-docker-image', image], ['--request-docker-image', digest]])
      expect(await installation.ok('run', '-m', ...words, ...inputs(), command)).toBe(first);
    const elsewhere = ['--request-docker-image', 'some/other:tag', '--request-queue', 'nowhere'];
    const other = await installation.ok('run', '-m', ...elsewhere, ...inputs(), command);
    expect(other).not.toBe(first);
    await installation.ok('kill', other);
  });
});
