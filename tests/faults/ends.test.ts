/* How runs can end, and what a user is told: the state, the message, and what is kept. */
import {
  bareImages,
  describeWith,
  eventually,
  pythonImage,
  requireDockerEngine,
  requireRegistry,
} from '@sheaf/testkit';
import type { Registry, BareImages } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation, type RuntimeChoice } from '../support/installation.ts';

interface End {
  title: string;
  command: string;
  flags?: string[];
  state: 'ready' | 'failed' | 'killed';
  message: RegExp | undefined;
}

/** 64m is enough for a shell; a shell that doubles a text soon is not satisfied with it. */
const eatMemory = 'x=0123456789abcdef; while true; do x=$x$x; done';

const ends: readonly End[] = [
  { title: 'exit 0', command: 'echo fine', state: 'ready', message: undefined },
  { title: 'exit 3', command: 'exit 3', state: 'failed', message: /^Exit code 3$/ },
  {
    title: 'killed by a signal of its own',
    command: 'kill -SEGV $BASHPID',
    state: 'failed',
    message: /^Exit code 139$/,
  },
  {
    title: 'killed by SIGKILL of its own, which is not a memory kill',
    command: 'kill -KILL $BASHPID',
    state: 'failed',
    message: /^Exit code 137$/,
  },
  {
    title: 'out of memory',
    command: eatMemory,
    flags: ['--request-memory', '64m'],
    state: 'failed',
    message: /^Memory limit 64m exceeded\.$/,
  },
  {
    title: 'too much on disk, noticed while it runs',
    command: 'head -c 3000000 /dev/zero > big; sleep 60',
    flags: ['--request-disk', '2m'],
    state: 'failed',
    message: /Disk limit 2mb exceeded\./,
  },
  {
    title: 'too much on disk, ended before anybody looked',
    command: 'head -c 3000000 /dev/zero > big',
    flags: ['--request-disk', '2m'],
    state: 'failed',
    message: /Disk limit 2mb exceeded\./,
  },
  {
    title: 'too long',
    command: 'sleep 60',
    flags: ['--request-time', '1s'],
    state: 'failed',
    message: /Time limit exceeded\. \(Container uptime \S+ > time limit 1\.0s\)/,
  },
  { title: 'a syntax error', command: 'if then fi (', state: 'failed', message: /syntax error/ },
  { title: 'an unknown program', command: 'no-such-program', state: 'failed', message: /^Exit code 127$/ },
];

function testEnds(start: () => { installation: Installation; flags: string[] }): void {
  it.each(ends)('$title → $state', async ({ command, flags = [], state, message }) => {
    const { installation, flags: always } = start();

    const uuid = await installation.ok('run', command, ...flags, ...always);
    const waited = await installation.cl(['wait', uuid]);

    const bundle = await installation.bundle(uuid);
    expect(bundle.state).toBe(state);
    expect(waited.code).toBe(state === 'ready' ? 0 : 1);
    if (message === undefined) expect(bundle.metadata['failure_message']).toBeUndefined();
    else expect(bundle.metadata['failure_message']).toMatch(message);
    expect(await installation.ok('info', uuid, '-f', 'state')).toBe(state);
  });

  it('a run that failed keeps what it had written', async () => {
    const { installation, flags } = start();

    const uuid = await installation.ok('run', 'echo half a result > out; echo words; exit 3', ...flags);
    await installation.finished(uuid);

    expect(await installation.ok('cat', `${uuid}/out`)).toBe('half a result');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('words');
  });

  it('kill ends a running run as killed, and keeps its output', async () => {
    const { installation, flags } = start();
    const uuid = await installation.ok('run', 'echo begun; sleep 600', ...flags);
    await installation.inState(uuid, 'running');

    await installation.ok('kill', uuid);

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('killed');
    expect(bundle.metadata['failure_message']).toContain('Kill requested');
    expect(bundle.metadata['actions']).toEqual(['kill']);
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('begun');
  });
}

describe('in the sandbox', () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await Installation.start('sandbox');
  });
  afterAll(() => installation.stop());

  testEnds(() => ({ installation, flags: [] }));

  it('a run that names an image waits and says what would let it start', async () => {
    const uuid = await installation.ok('run', 'true', '--request-docker-image', 'debian:stable');

    await eventually('reason that speaks of the image', async () => {
      const { state, metadata } = await installation.bundle(uuid);
      return state === 'staged' && /image/i.test(String(metadata['staged_status'])) ? true : undefined;
    });
    expect(await installation.ok('info', uuid)).toMatch(/docker/i);
    await installation.ok('kill', uuid);
    expect((await installation.finished(uuid)).state).toBe('killed');
  });
});

describeWith('in Docker', [requireDockerEngine, requireRegistry], () => {
  const runtime: RuntimeChoice = 'docker';
  let installation: Installation;
  let registry: Registry;
  let bare: BareImages;
  let image: string;
  beforeAll(async () => {
    registry = await requireRegistry();
    image = await pythonImage(registry);
    bare = await bareImages(registry);
    installation = await Installation.start(runtime);
  });
  afterAll(async () => {
    await installation.stop();
    await registry.stop();
  });

  testEnds(() => ({ installation, flags: ['--request-docker-image', image] }));

  it('records the digest of the image it used', async () => {
    const uuid = await installation.ok('run', 'true', '--request-docker-image', image);

    const bundle = await installation.finished(uuid);
    expect(bundle.metadata['docker_image']).toMatch(/@sha256:[0-9a-f]{64}$/);
  });

  it('an unknown image fails the run and names it', async () => {
    const unknown = `${registry.address}/no/such-image:1`;

    const uuid = await installation.ok('run', 'true', '--request-docker-image', unknown);

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('failed');
    expect(bundle.metadata['failure_message']).toContain('Failed to download Docker image:');
    expect(bundle.metadata['failure_message']).toContain('no/such-image');
  });

  it('an image without bash runs with its sh', async () => {
    const uuid = await installation.ok('run', 'echo plain shell', '--request-docker-image', bare.withoutBash);

    expect((await installation.finished(uuid)).state).toBe('ready');
    expect(await installation.ok('cat', `${uuid}/stdout`)).toBe('plain shell');
  });

  it('an image without any shell fails the run and says so', async () => {
    const uuid = await installation.ok('run', 'true', '--request-docker-image', bare.withoutShell);

    const bundle = await installation.finished(uuid);
    expect(bundle.state).toBe('failed');
    expect(bundle.metadata['failure_message']).toMatch(/shell/);
  });
});
