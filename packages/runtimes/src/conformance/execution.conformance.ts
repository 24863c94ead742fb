/** What a command meets when it really runs: its shell, its files, its limits, and the walls around it. */
import { chmod, chown, mkdir, mkdtemp, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RuntimeError } from '../port.ts';
import { benchFor, never, type RunBench, type RuntimeHarness } from './bench.conformance.ts';
import { testLimits } from './limits.conformance.ts';

/** For runtimes that execute commands. */
export function testExecution(harness: RuntimeHarness): void {
  const bench = benchFor(harness);
  describe('the command', () => testCommand(bench));
  describe('files', () => testFiles(bench));
  describe('limits', () => testLimits(bench));
  describe('walls', () => testWalls(bench));
}

function testCommand(bench: RunBench): void {
  it('separates output and errors', async () => {
    const { stdout, stderr } = await bench.run('echo out; echo err >&2');

    expect({ stdout, stderr }).toEqual({ stdout: 'out\n', stderr: 'err\n' });
  });

  it('leaves both files behind, also where it has said nothing', async () => {
    const { specification } = await bench.run('true');

    const size = async (name: string) => (await stat(join(specification.directory, name))).size;
    expect(await Promise.all(['stdout', 'stderr'].map(size))).toEqual([0, 0]);
  });

  it('may say any bytes', async () => {
    const { specification } = await bench.run("printf '\\000\\377\\200\\n\\r'; printf '\\376\\000' >&2");

    expect(await readFile(join(specification.directory, 'stdout'))).toEqual(
      Buffer.from([0, 0xff, 0x80, 0x0a, 0x0d]),
    );
    expect(await readFile(join(specification.directory, 'stderr'))).toEqual(Buffer.from([0xfe, 0]));
  });

  it('may have several lines', async () => {
    const { stdout, exit } = await bench.run('for i in 1 2; do\n  echo $i\ndone\n\necho end');

    expect(stdout).toBe('1\n2\nend\n');
    expect(exit.exitCode).toBe(0);
  });

  it.each([
    ['a comment', 'echo one # the end', 'one\n'],
    ['a semicolon', 'echo two;', 'two\n'],
    ['a here-document', 'cat <<END\nthree\nEND', 'three\n'],
    ['a subshell', '(echo five)', 'five\n'],
    // What goes on in the background ends with the command, so it says nothing here.
    ['an ampersand', 'echo six; true &', 'six\n'],
    ['a quoted here-document with indentation', "cat <<-'END'\n\tseven $HOME\n\tEND\n", 'seven $HOME\n'],
    ['a comment on a line of its own', 'echo eight\n# the end', 'eight\n'],
    ['an assignment', 'echo nine; x=1', 'nine\n'],
  ])('may end with %s', async (_, command, expected) => {
    const { stdout, exit } = await bench.run(command);

    expect(exit).toMatchObject({ exitCode: 0, message: null });
    expect(stdout).toBe(expected);
  });

  it('is executed by bash', async () => {
    const { stdout } = await bench.run('words=(a b c); echo ${#words[@]} ${BASH_VERSION:+bash}');

    expect(stdout).toBe('3 bash\n');
  });

  it('is told where it is', async () => {
    const { stdout, specification } = await bench.run('echo $PWD $HOME $CODALAB $LETTER', {
      environment: { LETTER: 'e with spaces' },
    });

    const home = `/${specification.uuid}`;
    expect(stdout).toBe(`${home} ${home} true e with spaces\n`);
  });

  it('hears of a syntax error in the words of the shell', async () => {
    const { exit, stdout } = await bench.run('echo before\nif then fi');

    expect(exit.exitCode).toBe(2);
    expect(exit.message).toMatch(/line 2: syntax error near unexpected token `then'/);
    expect(stdout).toBe('');
  });

  it.each([
    ['itself', 'kill -9 $BASHPID', 137],
    ['a child', 'bash -c "kill -9 \\$\\$"', 137],
    ['itself, politely', 'kill -15 $BASHPID', 143],
    ['itself by a fault', 'kill -SEGV $BASHPID', 139],
    ['its process group', 'kill 0; sleep 5', 143],
    ['nothing, but says so', 'exit 200', 200],
  ])('ends with 128 and the number of the signal when it kills %s', async (_, command, expected) => {
    const { exit } = await bench.run(command);

    expect(exit).toMatchObject({ exitCode: expected, outOfMemory: false, message: null });
  });

  it('leaves no zombies of programs whose parents have gone', async () => {
    const { stdout } = await bench.run(
      [
        "for i in 1 2 3; do bash -c 'sleep 0.05 & exit 0'; done",
        'sleep 0.4',
        'cat /proc/[0-9]*/stat | grep -c ") Z " || true',
      ].join('\n'),
    );

    expect(stdout).toBe('0\n');
  });

  it('can handle a signal that it is sent', async () => {
    const { stdout, exit } = await bench.run(
      'bash -c \'trap "echo caught; exit 5" USR1; kill -USR1 $$; sleep 5\'',
    );

    expect(stdout).toBe('caught\n');
    expect(exit.exitCode).toBe(5);
  });

  it('keeps a megabyte of output intact', async () => {
    const { stdout } = await bench.run('seq 1 150000');

    expect(stdout).toBe(Array.from({ length: 150_000 }, (_, index) => `${index + 1}\n`).join(''));
  });

  it('may be long', async () => {
    const words = 'x'.repeat(100_000);
    const { stdout } = await bench.run(`echo ${words} | wc -c`);

    expect(stdout.trim()).toBe('100001');
  });

  it('is refused where it is too long for the system', async () => {
    const specification = await bench.specification(`echo ${'x'.repeat(200_000)}`);

    const start = bench.runtime.start(specification, never);

    await expect(start).rejects.toThrow(RuntimeError);
    await expect(start).rejects.toMatchObject({ userError: true });
    expect(await bench.runtime.list()).toEqual([]);
  });

  it('reads nothing from its standard input', async () => {
    const { stdout } = await bench.run('cat; echo done');

    expect(stdout).toBe('done\n');
  });
}

function testFiles(bench: RunBench): void {
  it('belong to the owner of the run directory', async () => {
    const directory = await bench.directory();
    if (process.getuid?.() === 0) {
      await chown(directory, 12_345, 23_456);
    }
    const { exit } = await bench.run('mkdir -p deep; echo 1 > deep/file', { directory });

    const owner = await stat(directory);
    const file = await stat(join(directory, 'deep/file'));
    expect(exit.exitCode).toBe(0);
    expect([file.uid, file.gid]).toEqual([owner.uid, owner.gid]);
  });

  it('can be written into a directory that is closed to others', async () => {
    const directory = await bench.directory();
    await chmod(directory, 0o700);
    const { exit } = await bench.run('touch here', { directory });

    expect(exit.exitCode).toBe(0);
  });

  it('of dependencies are there, at any path, and cannot be changed', async () => {
    const base = await bench.directory();
    await chmod(base, 0o755);
    await mkdir(join(base, 'tree/deep'), { recursive: true });
    await writeFile(join(base, 'tree/deep/leaf'), 'leaf');
    await writeFile(join(base, 'single'), 'single');
    await chmod(join(base, 'single'), 0o777);
    await chmod(join(base, 'tree'), 0o777);
    const specification = await bench.specification('');
    const { uuid, directory } = specification;
    await symlink(`/${uuid}_dependencies/data`, join(directory, 'data'));

    const { stdout, exit } = await bench.run(
      'cat data/deep/leaf /foo/bar "/with space/it\'s"; touch data/new || echo refused; echo x >/foo/bar || echo refused',
      {
        uuid,
        directory,
        mounts: [
          { source: join(base, 'tree'), target: `/${uuid}_dependencies/data` },
          { source: join(base, 'single'), target: '/foo/bar' },
          { source: join(base, 'single'), target: "/with space/it's" },
        ],
      },
    );

    expect(stdout).toBe('leafsinglesinglerefused\nrefused\n');
    expect(exit.exitCode).toBe(0);
    expect(await readFile(join(base, 'single'), 'utf8')).toBe('single');
  });

  it('of dependencies may be mounted inside the run directory', async () => {
    const base = await bench.directory();
    await chmod(base, 0o755);
    await writeFile(join(base, 'leaf'), 'leaf');
    const specification = await bench.specification('');
    const { uuid, directory } = specification;

    const { stdout } = await bench.run('cat inside/deep/leaf', {
      uuid,
      directory,
      mounts: [{ source: base, target: `/${uuid}/inside/deep` }],
    });

    expect(stdout).toBe('leaf');
  });

  it("in /tmp and /dev/shm are the run's own", async () => {
    const { stdout, exit } = await bench.run(
      'touch /tmp/mine /dev/shm/mine && ls /tmp /dev/shm; df -B1 --output=size /dev/shm | tail -1',
      { sharedMemory: 3 << 20 },
    );

    expect(exit.exitCode).toBe(0);
    expect(stdout.split(/\s+/).filter(Boolean)).toEqual([
      '/dev/shm:',
      'mine',
      '/tmp:',
      'mine',
      String(3 << 20),
    ]);
  });
}

function testWalls(bench: RunBench): void {
  it('take every privilege from a run', async () => {
    const { stdout } = await bench.run('grep -E "^(Cap(Prm|Eff|Bnd)|NoNewPrivs)" /proc/self/status');

    expect(
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(/\s+/)[1]),
    ).toEqual(['0000000000000000', '0000000000000000', '0000000000000000', '1']);
  });

  it('leave a run without network no way out, not even to its host', async () => {
    const server = createServer((socket) => socket.end()).listen(0, '0.0.0.0');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const { stdout } = await bench.run(
      [
        'cat /proc/net/route | tail -n +2 | grep -c 00000000 || true',
        'gateway=$(hostname -I 2>/dev/null | sed "s/[0-9]* *$/1/")',
        `for host in 127.0.0.1 $gateway; do (timeout 2 bash -c "echo > /dev/tcp/$host/${port}") 2>/dev/null && echo reached $host; done; true`,
      ].join('\n'),
    );
    server.close();

    expect(stdout).not.toContain('reached');
  });

  it("keep runs from seeing each other's processes and files", async () => {
    const secret = await bench.specification(
      'echo secret >/tmp/secret; echo secret >/dev/shm/secret; echo up; sleep 610',
    );
    await bench.start(secret);
    await bench.untilSays(secret, 'up');

    const { stdout } = await bench.run(
      `ls / /tmp /dev/shm; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ls -d ${secret.directory} /${secret.uuid} 2>&1`,
    );

    expect(stdout).not.toContain('secret\n');
    expect(stdout).not.toContain('sleep 610');
    expect(stdout).toContain(`${secret.directory}': No such file or directory`);
    expect(stdout).toContain(`/${secret.uuid}': No such file or directory`);
  });

  it('keep a run out of what belongs to the host', async () => {
    const hidden = await mkdtemp(join(tmpdir(), 'sheaf-host-'));
    bench.directories.push(hidden);
    await writeFile(join(hidden, 'passwords'), 'secret');
    await chmod(hidden, 0o755);
    const { stdout } = await bench.run(
      `cat ${hidden}/passwords; cat /etc/shadow; ls /root /home /run/docker.sock /var/run/docker.sock; ls ${process.cwd()}; true`,
    );

    expect(stdout).not.toMatch(/secret|root:[*!x$]|docker.sock|package/);
  });

  it('are not left by what a run leaves behind', async () => {
    const specification = await bench.specification('nohup sleep 620 >/dev/null 2>&1 & echo $!; exit 0');
    const handle = await bench.start(specification);
    const exit = await bench.runtime.wait(handle, never);

    expect(exit.exitCode).toBe(0);
    expect(await bench.runtime.recover(handle)).toMatchObject({ state: 'ended' });
  });
}
