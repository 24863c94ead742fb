import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, requireDockerEngine } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ScriptedMachine } from '../scripted/machine.ts';
import { ScriptedRuntime } from '../scripted/runtime.ts';
import { chooseRuntime, detectRuntime } from './detect.ts';
import type { Strategy, StrategyOptions } from './strategies.ts';

const runtime = new ScriptedRuntime(new ScriptedMachine());

function strategy(name: string, kind: Strategy['kinds'][number], reason?: string): Strategy {
  return { name, kinds: [kind], look: async () => (reason === undefined ? { runtime } : { reason }) };
}

describe('the choice of a runtime', () => {
  it('takes the first that applies, and tells why the others did not', async () => {
    const candidates = [
      strategy('one', 'docker', 'broken'),
      strategy('two', 'sandbox'),
      strategy('three', 'sandbox'),
    ];

    expect(await chooseRuntime('auto', candidates)).toEqual({
      runtime,
      tried: [{ name: 'one', reason: 'broken' }],
    });
  });

  it('looks only at what was asked for', async () => {
    const candidates = [strategy('one', 'docker'), strategy('two', 'sandbox')];

    expect(await chooseRuntime('sandbox', candidates)).toEqual({ runtime, tried: [] });
  });

  it('says what would help with an engine that is there and may not be used', async () => {
    const locked: Strategy = {
      name: 'one',
      kinds: ['docker'],
      look: async () => ({ reason: 'locked', advice: 'ask for the key' }),
    };

    await expect(chooseRuntime('docker', [locked, strategy('two', 'docker', 'missing')])).rejects.toThrow(
      'No container engine can be used on this machine: ask for the key. Tried: one: locked; two: missing.',
    );
  });

  it('says in one sentence that there is nothing, and what to do', async () => {
    const candidates = [strategy('one', 'docker', 'broken'), strategy('two', 'sandbox', 'missing')];

    await expect(chooseRuntime('auto', candidates)).rejects.toThrow(
      'Nothing on this machine can execute runs: install Docker, Podman, runc (as root), Apptainer or bubblewrap. Tried: one: broken; two: missing.',
    );
    await expect(chooseRuntime('docker', candidates)).rejects.toThrow(
      /^No container engine .* Tried: one: broken\.$/,
    );
  });
});

describe('the places to look', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sheaf-detect-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  function options(environment: NodeJS.ProcessEnv): StrategyOptions {
    return {
      environment,
      docker: { worker: `detect-${process.pid}`, networkPrefix: 'sheaf-test' },
      sandbox: { stateDirectory: join(directory, 'state'), hide: [] },
      runc: { directory: join(directory, 'containers'), worker: `detect-${process.pid}` },
      apptainer: {
        directory: join(directory, 'containers'),
        worker: `detect-${process.pid}`,
        program: 'no-such-program',
      },
    };
  }

  it('include the sandbox of this machine', async () => {
    const found = await detectRuntime('sandbox', options({}));

    expect(found.runtime.name).toBe('sandbox');
    expect(found.runtime.capabilities.images).toBe(false);
    expect(found.runtime.description).toMatch(
      /^Sandbox on this system \(bubblewrap .*share the network of this host/,
    );
    await expect(
      found.runtime.prepareImage('debian', {
        signal: new AbortController().signal,
        onProgress: () => undefined,
      }),
    ).rejects.toThrow(/no container engine/);
  });

  it('say that Apptainer is not there, and what to do', async () => {
    await expect(detectRuntime('apptainer', options({}))).rejects.toThrow(
      'Apptainer cannot be used on this machine: install it or load its module, and allow user namespaces, or start the worker with another --runtime. Tried: Apptainer: no-such-program is not installed.',
    );
  });

  it('say why a strange DOCKER_HOST does not apply', async () => {
    const { tried } = await detectRuntime('auto', options({ DOCKER_HOST: 'ssh://somewhere' }));

    expect(tried[0]).toEqual({
      name: 'DOCKER_HOST',
      reason: 'ssh://somewhere is neither a unix socket nor a tcp address',
    });
  });

  describeWith('an engine', [requireDockerEngine], () => {
    it('is not fallen back on while the one that DOCKER_HOST names is away', async () => {
      await requireDockerEngine();
      const away = options({ DOCKER_HOST: `unix://${join(directory, 'away.sock')}` });

      await expect(detectRuntime('docker', away)).rejects.toThrow(/DOCKER_HOST names another engine/);
    });

    it('is found where DOCKER_HOST says', async () => {
      const { socketPath } = await requireDockerEngine();
      const found = await detectRuntime('docker', options({ DOCKER_HOST: `unix://${socketPath}` }));

      expect(found).toMatchObject({ tried: [], runtime: { name: 'docker', capabilities: { images: true } } });
      expect(found.runtime.description).toMatch(new RegExp(`^Docker \\d.* at unix://${socketPath}`));
      await found.runtime.close();
    });

    it('is found at its usual place', async () => {
      const found = await detectRuntime('auto', options({ XDG_RUNTIME_DIR: directory }));

      expect(found.runtime.name).toBe('docker');
      expect(found.tried).toEqual([{ name: 'DOCKER_HOST', reason: 'not set' }]);
      await found.runtime.close();
    });
  });
});
