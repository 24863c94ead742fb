import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, requireRunc } from '@sheaf/testkit';
import { afterAll, expect, it } from 'vitest';
import { detectRuntime } from '../detect/detect.ts';
import { findRunc } from './probe.ts';

describeWith('whether runc can be used', [requireRunc], () => {
  const directory = mkdtempSync(join(tmpdir(), 'sheaf-probe-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function fake(script: string): string {
    const file = join(directory, 'fake');
    writeFileSync(file, `#!/bin/sh\n[ "$1" = --version ] && exec echo "runc version 9.9"\n${script}\n`, {
      mode: 0o755,
    });
    return file;
  }

  it('is found out by a run', async () => {
    expect(await findRunc('runc', join(directory, 'a'))).toMatchObject({
      available: true,
      version: expect.stringMatching(/^runc 1\./) as unknown,
    });
  });

  it('is denied where the program is missing', async () => {
    expect(await findRunc('no-such-program', directory)).toEqual({
      available: false,
      reason: 'no-such-program is not installed',
    });
  });

  it.each([
    [
      'may not make namespaces',
      'echo "runc run failed: unable to start: clone: operation not permitted" >&2; exit 1',
    ],
    ['ends without having started anything', 'exit 1'],
    ['starts something that fails', 'printf s >&3; exit 7'],
  ])('is denied where it %s', async (_, script) => {
    expect(await findRunc(fake(script), join(directory, 'b'))).toMatchObject({ available: false });
  });

  it('is said with what to do', async () => {
    const options = {
      environment: {},
      docker: { worker: 'probe' },
      sandbox: { stateDirectory: join(directory, 'sandbox'), hide: [] },
      runc: { worker: 'probe', directory: join(directory, 'c'), program: 'no-such-program' },
      apptainer: { worker: 'probe', directory: join(directory, 'c'), program: 'no-such-program' },
    };

    await expect(detectRuntime('runc', options)).rejects.toThrow(
      'runc cannot be used on this machine: install runc and start the worker as root, or start it with another --runtime. Tried: runc: no-such-program is not installed.',
    );
  });
});
