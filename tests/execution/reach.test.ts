/* What people do with a run while it runs: look, follow, talk to it, start commands in it, stop it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeInContainers, describeInSandbox, type Place } from '../support/both-runtimes.ts';
import { root } from '../support/programs.ts';
import { Terminal } from '../support/terminal.ts';

/** Works until it is told to end. */
const waits = 'echo here; while [ ! -e end ]; do sleep 0.1; done';

async function begin({ installation, flags }: Place, command = waits, more: string[] = []): Promise<string> {
  const uuid = await installation.ok('run', command, ...flags, ...more);
  await installation.inState(uuid, 'running');
  await eventually('the command has begun', async () => {
    const { stdout } = await installation.cl(['cat', `${uuid}/stdout`]);
    return stdout.includes('here') ? true : undefined;
  });
  return uuid;
}

function clLine(...words: string[]): string {
  return [process.execPath, join(root, 'bin/cl'), ...words].join(' ');
}

function testSessions(place: () => Place): void {
  let uuid = '';
  const cl = (words: string[], options = {}) => place().installation.cl(words, options);
  const terminal = (line: string) =>
    new Terminal(line, { SHEAF_HOME: place().installation.home, CODALAB_SESSION: 'test' });
  beforeAll(async () => {
    uuid = await begin(place());
  });
  afterAll(() => place().installation.cl(['kill', uuid]));

  it('a command has streams of its own and passes on how it ended', async () => {
    const exec = await cl(['exec', uuid, 'tr a-z A-Z; echo wrong >&2; pwd; exit 42'], { input: 'letters\n' });

    expect(exec).toMatchObject({ code: 42, stdout: `LETTERS\n/${uuid}\n`, stderr: 'wrong\n' });
  });

  it('its words are taken as they are, options too', async () => {
    const exec = await cl(['exec', uuid, 'printf', '%s|', '-t', '--help', 'a b', '$HOME', '---x']);

    expect(exec).toMatchObject({ code: 0, stdout: '-t|--help|a b|$HOME|---x|' });
  });

  it('a few megabytes pass in both directions, to a reader that takes its time', async () => {
    const input = 'sheaf '.repeat(700_000);
    const exec = await cl(['exec', uuid, 'tee copy | md5sum >sum; cat copy'], { input });

    expect(exec.stdout === input).toBe(true);
    const slow = spawn('sh', ['-c', `${clLine('exec', uuid, 'cat', 'copy')} | (sleep 1; md5sum)`], {
      env: {
        PATH: process.env['PATH'],
        SHEAF_HOME: place().installation.home,
        CODALAB_SESSION: 'test',
      },
    });
    let sum = '';
    slow.stdout.setEncoding('utf8').on('data', (text: string) => {
      sum += text;
    });
    await once(slow, 'close');
    expect(sum).toBe((await cl(['exec', uuid, 'cat sum'])).stdout);
  });

  it('a program that is not there ends with 127', async () => {
    const exec = await cl(['exec', uuid, 'no-such-program', 'x']);

    expect(exec.code).toBe(127);
    expect(exec.stderr).toContain('not found');
  });

  it('Ctrl-C kills the command, and not the run', async () => {
    const exec = spawn(process.execPath, [join(root, 'bin/cl'), 'exec', uuid, 'echo up; exec sleep 4321'], {
      env: {
        PATH: process.env['PATH'],
        SHEAF_HOME: place().installation.home,
        CODALAB_SESSION: 'test',
      },
    });
    await once(exec.stdout, 'data');
    expect((await cl(['exec', uuid, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'])).stdout).toContain(
      'sleep 4321',
    );
    exec.kill('SIGINT');
    const [code] = (await once(exec, 'close')) as [number];

    expect(code).toBe(130);
    await eventually('the command is gone', async () => {
      const { stdout } = await cl(['exec', uuid, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "']);
      return stdout.includes('sleep 4321') ? undefined : true;
    });
    expect((await place().installation.bundle(uuid)).state).toBe('running');
  });

  it('a shell has the terminal: size, keys, and everything as it was afterwards', async () => {
    const shell = terminal(
      `stty -a >$SHEAF_HOME/before; ${clLine('shell', uuid)}; code=$?; stty -a >$SHEAF_HOME/after; exit $code`,
    );
    shell.type('');
    await eventually('a prompt', async () => (/[$#] $/.test(shell.said) ? true : undefined), 30_000);
    shell.type('stty size; echo $((6*7))-$PWD\r');
    await shell.says('30 90');
    await shell.says(`42-/${uuid}`);
    await shell.resize(41, 111);
    // Keys may arrive before the size does: the shell waits for it.
    shell.type('until [ "$(stty size)" = "41 111" ]; do :; done; echo resized-$((1+1))\r');
    await shell.says('resized-2');
    shell.type('sleep 4322\r');
    await shell.says('sleep 4322');
    await eventually('it sleeps', async () => {
      const { stdout } = await cl(['exec', uuid, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "']);
      return stdout.includes('sleep 4322') ? true : undefined;
    });
    shell.type('\x03');
    shell.type('echo after-$((1+1))\r');
    await shell.says('after-2');
    shell.type('exit 5\r');

    expect(await shell.ended()).toBe(5);
    const compared = spawn(
      'sh',
      [
        '-c',
        'stty() { :; }; sed "s/rows.*columns [0-9]*//" before >b; sed "s/rows.*columns [0-9]*//" after | cmp b -',
      ],
      {
        cwd: place().installation.home,
      },
    );
    expect((await once(compared, 'close'))[0]).toBe(0);
  });

  it('exec --tty gives the terminal to one command, and refuses where there is none', async () => {
    const one = terminal(clLine('exec', '-t', uuid, "'test -t 0 && stty size; exit 9'"));
    expect(await one.ended()).toBe(9);
    expect(one.said).toContain('30 90');

    const none = await cl(['exec', '-t', uuid, 'true']);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('There is no terminal');
  });

  it('is written down on the run', async () => {
    await cl(['exec', uuid, 'echo', 'a b']);
    const { metadata } = await place().installation.bundle(uuid);
    const actions = metadata['actions'] as string[];

    expect(actions).toContain("exec\techo 'a b'");
    expect(actions).toContain('shell');
  });

  it('ends with the run', async () => {
    const run = await begin(place());
    const exec = cl(['exec', run, 'echo up; sleep 1000']);
    await eventually('it has begun', async () => {
      const { metadata } = await place().installation.bundle(run);
      return (metadata['actions'] as string[] | undefined)?.length === 1 ? true : undefined;
    });
    await cl(['kill', run]);

    expect((await exec).code).not.toBe(0);
    await place().installation.finished(run);
    const late = await cl(['exec', run, 'true']);
    expect(late.code).toBe(1);
    expect(late.stderr).toMatch(/it is (killed|finalizing), not running/);
  });

  it('ends with words when the worker is stopped; the run goes on, and can be entered again', async () => {
    const { installation } = place();
    const exec = cl(['exec', uuid, 'echo up >up; exec sleep 4323']);
    await eventually('it has begun', async () => {
      const { code } = await installation.cl(['cat', `${uuid}/up`]);
      return code === 0 ? true : undefined;
    });
    const { worker } = installation;
    if (worker === undefined) throw new Error('There is no worker');
    const gone = once(worker, 'exit');
    worker.kill('SIGTERM');
    const { code, stderr } = await exec;
    // The session ends a moment before the worker does.
    await gone;
    await installation.startWorker();

    expect(code).toBe(1);
    expect(stderr).toContain('The worker is being stopped');
    await eventually('the run is entered again', async () => {
      const { stdout } = await cl(['exec', uuid, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "']);
      return stdout !== '' && !stdout.includes('sleep 4323') ? true : undefined;
    });
  });
}

function testPorts(place: () => Place): void {
  const serves =
    "python3 -c \"import http.server,socketserver,sys; s=socketserver.ThreadingTCPServer(('0.0.0.0',0), http.server.SimpleHTTPRequestHandler); print('here',s.server_address[1],flush=True); s.serve_forever()\"";
  const portOf = async (uuid: string) =>
    Number(/here (\d+)/.exec(await place().installation.ok('cat', `${uuid}/stdout`))?.[1]);

  it('a program in the run is reached; nothing of the host is', async () => {
    const { installation } = place();
    const uuid = await begin(place(), `echo hello >letter; ${serves}`);
    const port = await portOf(uuid);
    const host = createServer((_request, response) => response.end('secret of the host'));
    await new Promise<void>((resolve) => host.listen(0, '0.0.0.0', resolve));
    const hostPort = (host.address() as AddressInfo).port;
    const serverPort = Number(new URL(installation.url).port);
    const headers = {
      authorization: `Bearer ${await installation.token()}`,
      'x-requested-with': 'XMLHttpRequest',
    };
    const curl = (wanted: number | string, path: string) =>
      fetch(`${installation.url}/rest/bundles/${uuid}/netcurl/${wanted}${path}`, { headers });
    try {
      const found = await curl(port, '/letter');
      expect([found.status, await found.text()]).toEqual([200, 'hello\n']);
      expect((await curl(port, '/nothing?x=1')).status).toBe(404);
      const raw = await installation.cl(['netcat', uuid, String(port), 'GET /letter HTTP/1.0\r\n\r\n']);
      expect(raw.stdout).toContain('hello\n');

      for (const other of [hostPort, serverPort, 22, 2375]) {
        const answer = await curl(other, '/');
        expect([other, answer.status]).toEqual([other, 504]);
        expect(await answer.text()).not.toContain('secret');
      }
      const cat = await installation.cl(['netcat', uuid, String(hostPort), 'GET / HTTP/1.0\r\n\r\n']);
      expect(cat).toMatchObject({ code: 1, stdout: '' });
      // Whatever the path looks like, it is the run's own program that is asked.
      for (const path of ['//169.254.169.254/latest/meta-data/', '/http://169.254.169.254/latest/']) {
        expect((await curl(port, path)).status).toBe(404);
      }
      const neighbour = await begin(place(), serves);
      const neighbourPort = await portOf(neighbour);
      expect((await curl(neighbourPort, '/')).status).toBe(504);
      await installation.cl(['kill', neighbour]);

      for (const bad of ['0', '65536', '-1', 'http', '8e1', '80 ']) {
        expect((await curl(encodeURIComponent(bad), '/')).status).toBe(400);
      }
    } finally {
      host.close();
      await installation.cl(['kill', uuid]);
    }
  });
}

function testReads(place: () => Place): void {
  it('any file is followed as it grows, also one that is cut short or replaced', async () => {
    const { installation } = place();
    const command =
      'echo here; step() { while [ ! -e "$1" ]; do sleep 0.02; done; }; ' +
      'mkdir -p "odd dir"; f=$(printf "odd dir/a%%20b?#\\303\\251.log"); echo one >"$f"; step go1; echo two >>"$f"; step go2; echo three >"$f"; ' +
      'step go3; mv "$f" old; echo four >"$f"; step end';
    const uuid = await begin(place(), command);
    let said = '';
    const follow = installation.cl(['cat', '-f', `${uuid}/odd dir/a%20b?#é.log`], {
      onStdout: (text: string) => {
        said += text;
      },
    });
    const until = (text: string) =>
      eventually(`${text} after ${said}`, async () => (said.includes(text) ? true : undefined));
    await until('one');
    await installation.ok('write', `${uuid}/go1`, 'x');
    await until('two');
    await installation.ok('write', `${uuid}/go2`, 'x');
    await until('three');
    await installation.ok('write', `${uuid}/go3`, 'x');
    await until('four');
    await installation.ok('write', `${uuid}/end`, 'x');

    expect(await follow).toMatchObject({ code: 0, stdout: 'one\ntwo\nthree\nfour\n' });
    expect(await installation.ok('cat', '-f', '-t', '1', `${uuid}/odd dir/a%20b?#é.log`)).toBe('four');
    expect((await installation.cl(['cat', '-f', `${uuid}/odd dir`])).stderr).toContain(
      'only a file is followed',
    );
  });

  it('nothing outside of the run is read, and nothing that is no file', async () => {
    const { installation } = place();
    const command = `ln -s /etc etc; ln -s /etc/passwd passwd; ln -s .. up; mkfifo pipe; mkdir d; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('sock')"; ${waits}`;
    const uuid = await begin(place(), command);
    for (const path of [
      'etc/passwd',
      'passwd',
      'up/x',
      'pipe',
      'sock',
      '../../etc/passwd',
      'd/../../x',
      'x'.repeat(300),
    ]) {
      const { code, stdout } = await installation.cl(['cat', `${uuid}/${path}`]);
      if (path === 'passwd') expect(stdout.trim()).toBe('-> /etc/passwd');
      else expect([path, code]).toEqual([path, 1]);
      expect(stdout).not.toContain('root:');
    }
    await installation.cl(['kill', uuid]);
  });

  it('a directory of a hundred thousand files is listed', async () => {
    const { installation } = place();
    const uuid = await begin(place(), `mkdir many; cd many; seq 1 100000 | xargs touch; cd ..; ${waits}`);
    const listed = await installation.ok('cat', `${uuid}/many`);
    await installation.cl(['kill', uuid]);

    expect(listed.split('\n')).toHaveLength(100_002);
  });
}

describeInSandbox('a running run in the sandbox', (place) => {
  describe('sessions', () => testSessions(place));
  describe('ports', () => testPorts(place));
  describe('reads', () => testReads(place));
});

describeInContainers('a running run in a container', (place) => {
  describe('sessions', () => testSessions(place));
  describe('ports', () => testPorts(place));
});
