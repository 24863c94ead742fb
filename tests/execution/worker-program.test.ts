/* The worker as a program: how it is started, what it says when it cannot start, and how it ends. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root, run } from '../support/programs.ts';
import { WorkerProgram, type StartOptions } from '../support/worker-program.ts';

let installation: Installation;
let directory: string;
let work: string;
const running: WorkerProgram[] = [];

beforeAll(async () => {
  installation = new Installation('sandbox');
  await installation.startServer();
});
afterAll(() => installation.stop());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-worker-'));
  work = join(directory, 'work');
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((worker) => worker.stop('SIGKILL')));
  rmSync(directory, { recursive: true, force: true });
});

const credentials = () => join(installation.home, 'administrator.json');
const administrator = () =>
  JSON.parse(readFileSync(credentials(), 'utf8')) as { username: string; password: string };
const begin = (words: readonly string[], options: StartOptions = {}) => {
  const worker = new WorkerProgram(words, options);
  running.push(worker);
  return worker;
};
/** With everything that a worker needs, and more words. */
const common = (...words: string[]) => [
  '--server',
  installation.url,
  '--work-dir',
  work,
  '--runtime',
  'sandbox',
  '--credentials',
  credentials(),
  ...words,
];
const refused = async (words: readonly string[], options: StartOptions = {}) => {
  const worker = begin(words, options);
  expect(await worker.ended).toBe(1);
  expect(worker.stdout).toBe('');
  return worker.stderr;
};
const workers = async () =>
  (await installation.ok('workers'))
    .split('\n')
    .slice(2)
    .map((line) => line.split(/\s+/)[0]);
const submit = (...words: string[]) => installation.ok('run', ...words);

describe('the files in bin/', () => {
  it('start the worker from anywhere, through links, and end with it', async () => {
    const link = join(directory, 'elsewhere', 'my-worker');
    mkdirSync(join(directory, 'elsewhere'));
    symlinkSync(join(root, 'bin/cl-worker'), join(directory, 'first'));
    symlinkSync('../first', link);
    const worker = await begin(common('--id', 'linked'), { program: link, currentDirectory: '/' }).started();

    expect(worker.stdout).toMatch(/^Worker started!\nlinked at http:\S+\. Sandbox/);
    expect(await workers()).toContain('linked');
    expect(await worker.stop('SIGINT')).toBe(0);
    expect(await workers()).not.toContain('linked');
  });

  it('say that nothing has been built', async () => {
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    for (const name of ['cl-worker', 'worker.sh', 'cl-server', 'start-program.sh']) {
      copyFileSync(join(root, 'bin', name), join(bin, name));
    }
    for (const [name, program] of [
      ['cl-worker', 'worker'],
      ['worker.sh', 'worker'],
      ['cl-server', 'server'],
    ] as const) {
      expect(await run(join(bin, name), [])).toMatchObject({
        code: 1,
        stdout: '',
        stderr: `The ${program} has not been built yet: run \`npm start\`, or \`npm run build\`, in its folder once.\n`,
      });
    }
  });

  it('say that Node.js is missing, or too old', async () => {
    const programs = join(directory, 'programs');
    mkdirSync(programs);
    for (const name of ['dirname', 'readlink']) symlinkSync(`/usr/bin/${name}`, join(programs, name));
    const start = () => run('/bin/sh', [join(root, 'bin/cl-worker')], { env: { PATH: programs } });
    expect(await start()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^The worker needs Node\.js 20\.19 or newer: install it/),
    });

    for (const [version, fits] of [
      ['v18.20.0', false],
      ['v20.18.9', false],
      ['v20.19.0', true],
      ['v24.0.0', true],
    ] as const) {
      writeFileSync(
        join(programs, 'node'),
        `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo started\n`,
      );
      chmodSync(join(programs, 'node'), 0o755);
      const { code, stdout, stderr } = await start();
      expect([version, code, stdout]).toEqual([version, fits ? 0 : 1, fits ? 'started\n' : '']);
      if (!fits) expect(stderr).toContain(`and this is ${version.slice(1)}. Install a newer one`);
    }
  });

  it('worker.sh skips flags that are gone, with a warning; cl-worker does not', async () => {
    const words = common('--old-flag', 'value', '--tag', 'old', '--exit-when-idle', '--ws-server', 'ws://x');
    const worker = await begin(words, { program: join(root, 'bin/worker.sh') }).started();

    expect(worker.stderr).toMatch(
      /^The flag --old-flag is not known \(any more\) and is skipped; --help lists those there are\.\n/,
    );
    expect(await worker.ended).toBe(0);
    expect(await refused(words)).toBe('There is no flag --old-flag; --help lists those there are.\n');
  });

  it('cl-server starts a server alone, with the settings of the environment', async () => {
    const server = begin([], {
      program: join(root, 'bin/cl-server'),
      environment: { SHEAF_HOME: join(directory, 'home'), SHEAF_PORT: '0', SHEAF_LOG_LEVEL: 'silent' },
    });
    const url = await eventually('an address', () =>
      Promise.resolve(/^Sheaf is ready: (\S+)\n$/.exec(server.stdout)?.[1]),
    );

    const headers = { 'x-requested-with': 'XMLHttpRequest' };
    expect((await fetch(`${url}/rest/workers/info`, { headers })).status).toBe(401);
    expect(await server.stop()).toBe(0);
    expect(existsSync(join(directory, 'home/administrator.json'))).toBe(true);
    expect(await refused(['--port', '1'], { program: join(root, 'bin/cl-server') })).toMatch(
      /^cl-server takes no "--port"/,
    );
  });
});

describe('who it signs in as', () => {
  const without = (...words: string[]) => [
    '--server',
    installation.url,
    '--work-dir',
    work,
    '--runtime',
    'sandbox',
    ...words,
  ];
  const passwordFile = (mode: number) => {
    const path = join(directory, `password-${mode.toString(8)}`);
    const { username, password } = administrator();
    writeFileSync(path, `${username}\n${password}\n`);
    chmodSync(path, mode);
    return path;
  };

  it('comes from a file that nobody else may read', async () => {
    const worker = await begin(without('--password-file', passwordFile(0o600), '--exit-when-idle')).started();
    expect(await worker.ended).toBe(0);

    for (const mode of [0o640, 0o604, 0o660, 0o610]) {
      const path = passwordFile(mode);
      expect(await refused(without('--password-file', path))).toBe(
        `Others may have access to the password in ${path}: run \`chmod 600 ${path}\`.\n`,
      );
    }
  });

  it('comes from the environment, or is missed in words', async () => {
    const { username, password } = administrator();
    const environment = { CODALAB_USERNAME: username, CODALAB_PASSWORD: password };
    const worker = await begin(without('--exit-when-idle'), { environment }).started();
    expect(await worker.ended).toBe(0);

    expect(await refused(without())).toMatch(/^The worker needs a user to sign in as: set CODALAB_USERNAME/);
  });

  it('is asked for on a terminal, without showing the password', async () => {
    const { username, password } = administrator();
    const command = [join(root, 'bin/cl-worker'), ...without('--exit-when-idle')].join(' ');
    // `script` gives the program a terminal; what it shows is what this reads.
    const terminal = begin(['-qec', command, '/dev/null'], { program: '/usr/bin/script', input: true });
    const shown = (text: string) =>
      eventually(text, () => Promise.resolve(terminal.stdout.includes(text) || undefined));
    await shown('User name: ');
    terminal.child.stdin?.write(`${username}\n`);
    await shown(`Password of ${username}: `);
    terminal.child.stdin?.write(`wrong\u007f\u007f\u007f\u007f\u007f${password}\n`);

    expect(await terminal.ended).toBe(0);
    expect(terminal.stdout).toMatch(/^Worker started!\r$/m);
    expect(terminal.stdout).not.toContain(password);
    expect(terminal.stdout).not.toContain('wrong');
  });
});

describe('what keeps it from starting is said in words', () => {
  const at = (url: string, ...words: string[]) => ['--server', url, ...common(...words).slice(2)];

  it('a wrong password', async () => {
    const environment = { CODALAB_USERNAME: 'codalab', CODALAB_PASSWORD: 'wrong' };
    const words = ['--server', installation.url, '--work-dir', work, '--runtime', 'sandbox'];

    expect(await refused(words, { environment })).toBe(
      `${installation.url} does not accept this user name and password: check the password file, or CODALAB_USERNAME and CODALAB_PASSWORD.\n`,
    );
  });

  it('a server that is not there, or not reached like this', async () => {
    const port = new URL(installation.url).port;
    for (const [url, sentence] of [
      [
        'http://127.0.0.1:9',
        /^Cannot reach http:\/\/127\.0\.0\.1:9: nothing listens there\. Is the server running/,
      ],
      [
        'http://nowhere.invalid',
        /^Cannot reach http:\/\/nowhere\.invalid: (?:there is no host of that name|the name .*)\. Is the server/,
      ],
      [
        `https://127.0.0.1:${port}`,
        new RegExp(`^https://\\S+ does not speak HTTPS: try --server http://127.0.0.1:${port}\\.`),
      ],
      ['127.0.0.1', /^"127\.0\.0\.1" is not the address of a server; it looks like http:/],
    ] as const) {
      expect(await refused(at(url))).toMatch(sentence);
    }
  });

  it('another program on the port', async () => {
    const other = createServer((request, response) => {
      request.resume();
      response.end('<html>Hello</html>');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;

    expect(await refused(at(url))).toBe(
      `${url} does not answer as a Sheaf or CodaLab server: check --server.\n`,
    );
    other.close();
  });

  it('a work directory that cannot be one', async () => {
    writeFileSync(join(directory, 'file'), '');

    expect(await refused(common('--work-dir', join(directory, 'file', 'x')))).toMatch(
      /^The worker cannot work in \S+file\/x \(.+\): choose another --work-dir\.\n$/,
    );
  });

  it('a Kubernetes cluster that is not named, or not there', async () => {
    const nobody = ['--kubernetes-cluster-host', 'https://127.0.0.1:1'];
    const pods = ['--runtime', 'auto', '--bundle-runtime', 'kubernetes'];
    expect(await refused(common(...pods))).toMatch(
      /^Pods are made in the cluster that --kubernetes-cluster-host names, .+\n$/,
    );
    expect(await refused(common(...pods, ...nobody))).toMatch(
      /^The Kubernetes cluster cannot be used: .+ does not answer: .+\n$/,
    );
  });

  it('GPUs and processors that are not there', async () => {
    expect(await refused(common('--gpuset', '7'))).toMatch(
      /^--gpuset names the GPU 7, but nvidia-smi lists none/,
    );
    expect(await refused(common('--cpuset', '60000'))).toMatch(
      /^--cpuset names 60000, but this machine has only/,
    );
  });

  it('a second worker of the name: in the same directory, and in another', async () => {
    await begin(common('--id', 'twin')).started();

    expect(await refused(common('--id', 'twin'))).toBe(
      `Another worker (process ${running[0]?.child.pid}) uses ${work}: stop it, or give this one another --work-dir.\n`,
    );
    expect(await refused(common('--id', 'twin', '--work-dir', join(directory, 'other')))).toBe(
      `Another worker with the id twin is running on ${hostname()}, in another work directory. Start this one with another --id, or stop the other first.\n`,
    );
    expect(await workers()).toContain('twin');
  });
});

describe('several workers', () => {
  it('share a work directory, each with a part of its own', async () => {
    const [first, second] = await Promise.all([
      begin(common('--id', 'one', '--tag', 'one')).started(),
      begin(common('--id', 'two', '--tag', 'two')).started(),
    ]);
    const [a, b] = await Promise.all([
      submit('--request-queue', 'one', 'echo in one'),
      submit('--request-queue', 'tag=two', 'echo in two'),
    ]);
    await Promise.all([installation.ok('wait', a), installation.ok('wait', b)]);

    expect(await installation.ok('cat', `${a}/stdout`)).toBe('in one');
    expect((await installation.bundle(a)).metadata['remote']).toBe('one');
    expect((await installation.bundle(b)).metadata['remote']).toBe('two');
    expect(await Promise.all([first.stop(), second.stop()])).toEqual([0, 0]);
  });

  it('one that was killed comes back at once under its name', async () => {
    const first = await begin(common('--id', 'phoenix')).started();
    await first.stop('SIGKILL');

    const second = await begin(common('--id', 'phoenix')).started();
    expect(await second.stop()).toBe(0);
  });
});

it('a group that does not exist is said, and the worker works for its owner', async () => {
  const worker = await begin(common('--group', 'nobodys')).started();

  await eventually('a warning', () =>
    Promise.resolve(worker.stderr.includes('There is no such group, or you are not in it') || undefined),
  );
});

describe('it ends by itself', () => {
  it('when it is idle, and takes its directory with it', async () => {
    const worker = await begin(
      common('--exit-when-idle', '--idle-seconds', '1', '--delete-work-dir-on-exit'),
    ).started();
    expect(statSync(work).mode & 0o777).toBe(0o770);

    expect(await worker.ended).toBe(0);
    expect(existsSync(work)).toBe(false);
  });

  it('not before its runs are done', async () => {
    const run = await submit('--request-queue', 'idle', 'sleep 2; echo done');
    const worker = await begin(common('--tag', 'idle', '--tag-ex', '--exit-when-idle')).started();

    expect(await worker.ended).toBe(0);
    expect((await installation.bundle(run)).state).toBe('ready');
  });

  it('after as many runs as it was told, and leaves the rest', async () => {
    const runs: string[] = [];
    for (const number of [1, 2, 3]) runs.push(await submit('--request-queue', 'few', `echo ${number}`));
    const worker = await begin(common('--tag', 'few', '--exit-after-num-runs', '2')).started();

    expect(await worker.ended).toBe(0);
    const states = await Promise.all(runs.map(async (uuid) => (await installation.bundle(uuid)).state));
    expect(states.filter((state) => state === 'ready')).toHaveLength(2);
    expect(states.filter((state) => state === 'staged')).toHaveLength(1);
    await installation.ok('rm', '--force', ...runs);
  });
});

describe('when it is told to end', () => {
  it('leaves its runs going, for the next worker of its name', async () => {
    const first = await begin(common('--id', 'keeper', '--tag', 'keep')).started();
    const run = await submit(
      '--request-queue',
      'keep',
      'echo begun; until [ -e go ]; do sleep 0.1; done; echo ended',
    );
    await eventually(
      'begun',
      async () => (await installation.cl(['cat', `${run}/stdout`])).stdout === 'begun\n' || undefined,
    );

    expect(await first.stop('SIGHUP')).toBe(0);
    writeFileSync(join(work, 'runs', run, 'go'), '');
    await begin(common('--id', 'keeper', '--tag', 'keep')).started();

    expect((await installation.finished(run)).state).toBe('ready');
    expect(await installation.ok('cat', `${run}/stdout`)).toBe('begun\nended');
  });

  it('gives its runs to others, where it passes its end on to them', async () => {
    const first = await begin(common('--id', 'giver', '--tag', 'pass', '--pass-down-termination')).started();
    const run = await submit('--request-queue', 'pass', 'echo $$; sleep 3');
    await installation.inState(run, 'running');
    const second = begin(common('--id', 'taker', '--tag', 'pass', '--work-dir', join(directory, 'other')));
    await second.started();

    expect(await first.stop()).toBe(0);
    expect(await installation.finished(run)).toMatchObject({ state: 'ready', metadata: { remote: 'taker' } });
    expect(await second.stop()).toBe(0);
  });

  it('a second signal ends it at once', async () => {
    const worker = await begin(
      common('--id', 'stubborn', '--tag', 'slow', '--pass-down-termination'),
    ).started();
    installation.server?.kill('SIGSTOP');
    try {
      worker.child.kill('SIGTERM');
      worker.child.kill('SIGINT');
      expect(await worker.ended).toBe(1);
    } finally {
      installation.server?.kill('SIGCONT');
    }
  });
});
