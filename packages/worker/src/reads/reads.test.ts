/* Reading the files of a running bundle, and trying to get at others. */
import { eventually } from '@sheaf/testkit';
import { netcat } from './netcat.ts';
import type { ReadArguments } from '@sheaf/wire';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { textOf, type Reply } from '../testing/protocol-server.ts';
import { aRun, runMessageFor } from '../testing/run-message.ts';
import { WorkerBench } from '../testing/worker-bench.ts';

let bench: WorkerBench;
let directory: string;
let outside: string;
let socket = 0;

async function setUp(): Promise<void> {
  bench = await WorkerBench.open();
  outside = mkdtempSync(join(tmpdir(), 'sheaf-outside-'));
  writeFileSync(join(outside, 'secret'), 'secret');
  const entry = await bench.server.keepFile('parent', 'input');
  await bench.start();
  bench.server.assign(
    runMessageFor({
      command: 'echo hello; sleep 60',
      dependencies: [
        { parent_uuid: 'parent', child_path: 'data', entry },
        { parent_uuid: 'parent', child_path: 'deep/data', entry },
      ],
    }),
  );
  await bench.reported(aRun, 'running');
  directory = bench.runDirectory(aRun);
  mkdirSync(join(directory, 'sub'));
  writeFileSync(join(directory, 'sub', 'file'), 'in sub');
  symlinkSync(outside, join(directory, 'way-out'));
  symlinkSync(join(outside, 'secret'), join(directory, 'link-out'));
  symlinkSync('sub/file', join(directory, 'link-in'));
}

async function tearDown(): Promise<void> {
  await bench.close();
  rmSync(outside, { recursive: true });
}

/** Sends a question and answers under which number. */
function ask(path: string, args: ReadArguments): number {
  socket += 1;
  bench.server.send({ type: 'read', uuid: aRun, socket_id: socket, path, read_args: args });
  return socket;
}

const replyTo = (id: number): Promise<Reply> => eventually(`reply ${id}`, () => bench.server.replies.get(id));
const read = (path: string, args: ReadArguments) => replyTo(ask(path, args));

const info = (depth: number): ReadArguments => ({ type: 'get_target_info', depth });
const section = (offset: number, length: number): ReadArguments => ({
  type: 'read_file_section',
  offset,
  length,
});
const summarize: ReadArguments = {
  type: 'summarize_file',
  num_head_lines: 1,
  num_tail_lines: 1,
  max_line_length: 10,
  truncation_text: '…\n',
};

describe('get_target_info', () => {
  // Nothing but reading happens here: one run is enough.
  beforeAll(setUp);
  afterAll(tearDown);

  it('lists the root without dependencies', async () => {
    const reply = await read('', info(2));

    const { target_info: root } = reply.value as {
      target_info: { contents: { name: string; type: string }[] };
    };
    expect(root).toMatchObject({
      name: aRun,
      type: 'directory',
      resolved_target: { bundle_uuid: aRun, subpath: '' },
    });
    expect(root.contents.map(({ name, type }) => [name, type])).toEqual([
      ['deep', 'directory'],
      ['link-in', 'link'],
      ['link-out', 'link'],
      ['stderr', 'file'],
      ['stdout', 'file'],
      ['sub', 'directory'],
      ['way-out', 'link'],
    ]);
    expect(root.contents[0]).toMatchObject({ contents: [] });
    expect(root.contents[5]).toMatchObject({
      contents: [{ name: 'file', size: 6, perm: 0o644, type: 'file' }],
    });
  });

  it('describes one path, and a link as the link it is', async () => {
    expect((await read('sub/./file', info(0))).value).toMatchObject({
      target_info: { name: 'file', size: 6, resolved_target: { subpath: 'sub/file' } },
    });
    expect((await read('link-out', info(0))).value).toMatchObject({
      target_info: { type: 'link', link: join(outside, 'secret') },
    });
  });

  it.each([
    'nothing',
    'data',
    'deep/data',
    'deep/data/x',
    '../secret',
    'way-out/secret',
    'sub/file/x',
    'a\0b',
  ])('refuses %j', async (path) => {
    expect((await read(path, info(0))).value).toMatchObject({ error_code: 404 });
  });
});

describe('the data of a file', () => {
  // Nothing but reading happens here: one run is enough.
  beforeAll(setUp);
  afterAll(tearDown);

  it('as a whole', async () => {
    expect(textOf(await read('stdout', { type: 'stream_file' }))).toBe('hello\n');
    expect(textOf(await read('sub/../sub/file', { type: 'stream_file' }))).toBe('in sub');
  });

  it('in sections', async () => {
    expect(textOf(await read('stdout', section(1, 3)))).toBe('ell');
    expect(textOf(await read('stdout', section(4, 100)))).toBe('o\n');
    expect(textOf(await read('stdout', section(100, 10)))).toBe('');
  });

  it('in short', async () => {
    writeFileSync(join(directory, 'lines'), 'one\ntwo\nthree\nfour\n');
    writeFileSync(join(directory, 'binary'), Buffer.from([0xff, 0xfe, 0x00]));

    expect(textOf(await read('lines', summarize))).toBe('one\n…\nfour\n');
    expect(textOf(await read('binary', summarize))).toBe('<binary>');
    expect(textOf(await read('nothing', summarize))).toBe('<none>');
  });

  it('of a large file', async () => {
    const text = 'x'.repeat(3_000_000);
    writeFileSync(join(directory, 'large'), text);

    expect(textOf(await read('large', { type: 'stream_file' }))).toBe(text);
  });

  const refused = [
    'nothing',
    'sub',
    '',
    'link-in',
    'link-out',
    'way-out/secret',
    'data',
    '../../etc/passwd',
    '/etc/passwd',
  ];
  it.each(refused)('is refused for %j', async (path) => {
    for (const args of [{ type: 'stream_file' } as const, section(0, 10)]) {
      expect((await read(path, args)).value).toMatchObject({ error_code: 404 });
    }
  });

  it('is refused for a named pipe, which would keep the worker waiting for ever', async () => {
    execFileSync('sh', ['-c', 'mkfifo "$0"', join(directory, 'pipe')]);

    expect((await read('pipe', { type: 'stream_file' })).value).toMatchObject({ error_code: 404 });
  });
});

describe('the archive of a directory', () => {
  // Nothing but reading happens here: one run is enough.
  beforeAll(setUp);
  afterAll(tearDown);

  const list = (reply: Reply) =>
    execFileSync('tar', ['-tz'], { input: reply.bytes, encoding: 'utf8' }).trim().split('\n');

  it('holds what the run has made, links as links, without dependencies and what downloads leave out', async () => {
    mkdirSync(join(directory, '.git'));
    const long = `${'long-'.repeat(30)}name`;
    writeFileSync(join(directory, long), '');

    const reply = await read('', { type: 'stream_directory' });

    expect(list(reply)).toEqual([
      './',
      './deep/',
      './link-in',
      './link-out',
      `./${long}`,
      './stderr',
      './stdout',
      './sub/',
      './sub/file',
      './way-out',
    ]);
    const file = execFileSync('tar', ['-xzO', './sub/file'], { input: reply.bytes, encoding: 'utf8' });
    expect(file).toBe('in sub');
  });

  it('of a directory below', async () => {
    expect(list(await read('sub', { type: 'stream_directory' }))).toEqual(['./', './file']);
  });

  it.each(['way-out', 'data', 'stdout', '..'])('is refused for %j', async (path) => {
    expect((await read(path, { type: 'stream_directory' })).value).toMatchObject({ error_code: 404 });
  });
});

describe('a followed file', () => {
  beforeEach(setUp);
  afterEach(tearDown);

  const end = () => bench.machine.find(`${aRun}.1`)?.kill.abort();

  /** Takes the bytes of all answers as they come. */
  function collect(): () => string {
    let seen = '';
    bench.server.intercept = async (path, request, response) => {
      if (!path.includes('/reply_data/')) return false;
      for await (const chunk of request as AsyncIterable<Buffer>) seen += chunk.toString();
      response.writeHead(200).end();
      return true;
    };
    return () => seen;
  }

  it('is sent as it grows, until the command has ended', async () => {
    const seen = collect();
    ask('stdout', { type: 'follow_file', offset: 2 });
    await eventually('first bytes', () => (seen() === 'llo\n' ? true : undefined));

    appendFileSync(join(directory, 'stdout'), 'more\n');
    await eventually('more bytes', () => (seen() === 'llo\nmore\n' ? true : undefined));
    appendFileSync(join(directory, 'stdout'), 'last\n');
    end();

    await bench.finished(aRun);
    await eventually('last bytes', () => (seen() === 'llo\nmore\nlast\n' ? true : undefined));
  });

  it('need not be there yet, and stays the same file under another name', async () => {
    const seen = collect();
    ask('later', { type: 'follow_file', offset: 0 });
    await eventually('delivery', () => (bench.server.undelivered === 0 ? true : undefined));
    writeFileSync(join(directory, 'later'), 'first ');
    await eventually('first bytes', () => (seen() === 'first ' ? true : undefined));

    renameSync(join(directory, 'later'), join(directory, 'renamed'));
    appendFileSync(join(directory, 'renamed'), 'second');
    end();

    await eventually('last bytes', () => (seen() === 'first second' ? true : undefined));
  });

  it('begins anew when it is cut short, and when another takes its name', async () => {
    const seen = collect();
    const path = join(directory, 'log');
    writeFileSync(path, 'one\n');
    ask('log', { type: 'follow_file', offset: 0 });
    await eventually('first bytes', () => (seen() === 'one\n' ? true : undefined));
    writeFileSync(path, '2\n');
    await eventually('what was written instead', () => (seen() === 'one\n2\n' ? true : undefined));
    renameSync(path, join(directory, 'log.1'));
    appendFileSync(join(directory, 'log.1'), '3\n');
    writeFileSync(path, 'four\n');
    await eventually('the rest of one and the other', () =>
      seen() === 'one\n2\n3\nfour\n' ? true : undefined,
    );
    end();

    await bench.finished(aRun);
  });

  it('is sent as it is after the end, and refused where there is none', async () => {
    bench.server.finalizes = false;
    end();
    await bench.reported(aRun, 'finalizing');

    expect(textOf(await read('stdout', { type: 'follow_file', offset: 0 }))).toBe('hello\n');
    expect((await read('nothing', { type: 'follow_file', offset: 0 })).value).toMatchObject({
      error_code: 404,
    });
  });

  it('lets go when the reader leaves', async () => {
    let open = false;
    bench.server.intercept = (path, request, response) => {
      if (!path.includes('/reply_data/')) return false;
      open = true;
      // The reader has gone: the server answers before the worker is done.
      response.writeHead(200).end();
      request.resume();
      return true;
    };
    ask('stdout', { type: 'follow_file', offset: 0 });
    await eventually('stream', () => open || undefined);

    await eventually('closed file', () =>
      openFiles().includes(join(directory, 'stdout')) ? undefined : true,
    );
  });

  it('of a command that never makes it is given up', async () => {
    const id = ask('nothing', { type: 'follow_file', offset: 0 });
    await eventually('delivery', () => (bench.server.undelivered === 0 ? true : undefined));
    end();
    await bench.finished(aRun);

    expect(bench.server.replies.get(id)?.value).toBeUndefined();
  });
});

describe('write', () => {
  beforeEach(setUp);
  afterEach(tearDown);

  const write = async (subpath: string, text: string) => {
    bench.server.send({ type: 'write', uuid: aRun, subpath, string: text });
    // Answered after it, in the same order.
    await read('', info(0));
  };
  const written = (path: string, text: string) =>
    eventually(`text in ${path}`, () =>
      existsSync(join(directory, path)) && readFileSync(join(directory, path), 'utf8') === text
        ? true
        : undefined,
    );

  it('makes or replaces the content of a file', async () => {
    await write('new', 'text');
    await written('new', 'text');
    await write('stdout', 'x');
    await written('stdout', 'x');
    await write('sub/new', '');
    await written('sub/new', '');
  });

  it('lets a new file appear with all its text', async () => {
    const text = 'x'.repeat(20_000_000);
    const path = join(directory, 'large-text');
    bench.server.send({ type: 'write', uuid: aRun, subpath: 'large-text', string: text });

    // Looked at as often as possible: an empty file would be seen.
    const look = () => statSync(path, { throwIfNoEntry: false })?.size;
    let size = look();
    while (size === undefined) {
      await new Promise(setImmediate);
      size = look();
    }

    expect(size).toBe(text.length);
    expect(readdirSync(directory).filter((name) => name.endsWith('.written'))).toEqual([]);
  });

  it.each(['data', 'link-out', 'way-out/new', '../new', 'way-out/secret'])(
    'never writes outside: %s',
    async (path) => {
      await write(path, 'changed');
      await write('done', 'done');
      await written('done', 'done');

      expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
      expect(existsSync(join(outside, 'new'))).toBe(false);
      expect(existsSync(join(bench.workDirectory, 'runs', 'new'))).toBe(false);
    },
  );
});

describe('netcat', () => {
  beforeEach(setUp);
  afterEach(tearDown);

  const send = (port: number, message: string) => {
    socket += 1;
    bench.server.send({ type: 'netcat', uuid: aRun, socket_id: socket, port, message });
    return replyTo(socket);
  };

  it('hands on what the command answers, whatever bytes they are', async () => {
    const echo = createServer((connection) => {
      connection.once('data', (data) => connection.end(Buffer.concat([Buffer.from([0, 255]), data])));
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));

    const reply = await send((echo.address() as AddressInfo).port, 'hé');

    expect(reply.bytes).toEqual(Buffer.from([0, 255, ...Buffer.from('hé')]));
    echo.close();
  });

  it.each([0, -1, 65_536, 1.5])('has no port %s', async (port) => {
    const unchecked = netcat(
      async () => ({ host: '127.0.0.1', port }),
      port,
      'x',
      new AbortController().signal,
    );
    await expect(unchecked).rejects.toMatchObject({ status: 400 });
  });

  it('sends nothing to whoever has taken the port meanwhile', async () => {
    let heard = '';
    const other = createServer((connection) => connection.on('data', (data) => (heard += data.toString())));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    let asked = 0;
    const reach = async () => ((asked += 1) === 1 ? { host: '127.0.0.1', port } : undefined);

    await expect(netcat(reach, port, 'secret', new AbortController().signal)).rejects.toMatchObject({
      status: 500,
    });
    await new Promise((resolve) => other.close(resolve));
    expect([asked, heard]).toEqual([2, '']);
  });

  it('says that a program does not answer, and lets go of it', async () => {
    const silent = createServer();
    const hungUp = new Promise<void>((resolve) => {
      silent.once('connection', (connection) => connection.resume().once('close', () => resolve()));
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const asked = netcat(async () => ({ host: '127.0.0.1', port }), port, 'x', new AbortController().signal, {
      firstByte: 20,
    });

    await expect(asked).rejects.toMatchObject({ status: 504 });
    await hungUp;
    silent.close();
  });

  it('hands on a huge answer as it comes, and makes the program wait for whoever reads it', async () => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const all = 64 * piece.length;
    let given = 0;
    const program = createServer((connection) => {
      const more = () => {
        while (given < all) {
          given += piece.length;
          if (!connection.write(piece)) return void connection.once('drain', more);
        }
        connection.end();
      };
      more();
    });
    await new Promise<void>((resolve) => program.listen(0, '127.0.0.1', resolve));
    const { port } = program.address() as AddressInfo;
    const body = await netcat(
      async () => ({ host: '127.0.0.1', port }),
      port,
      'x',
      new AbortController().signal,
    );

    let received = 0;
    let before = 0;
    for await (const bytes of body) {
      // While nobody reads, the program can give no more than the kernel holds for it.
      if (received === 0) before = given;
      received += bytes.byteLength;
    }

    expect(before).toBeLessThan(all);
    expect(received).toBe(all);
    program.close();
  });

  it('says that nobody listens', async () => {
    const unused = createServer();
    await new Promise<void>((resolve) => unused.listen(0, '127.0.0.1', resolve));
    const { port } = unused.address() as AddressInfo;
    await new Promise((resolve) => unused.close(resolve));

    expect((await send(port, 'x')).value).toMatchObject({ error_code: 500 });
  });
});

function openFiles(): string[] {
  return execFileSync('sh', ['-c', `readlink /proc/${process.pid}/fd/* || true`], { encoding: 'utf8' }).split(
    '\n',
  );
}
