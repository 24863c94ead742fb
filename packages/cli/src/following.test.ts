/** Waiting and live output: against a server that says what it is told to, and against a real one with a real worker. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { removePrograms, startCl, startInstallation, type Installation } from './testing/programs.ts';

const uuid = `0x${'a'.repeat(32)}`;
const home = mkdtempSync(join(tmpdir(), 'sheaf-follow-'));
const env = { CODALAB_HOME: home, CODALAB_USERNAME: 'a', CODALAB_PASSWORD: 'b' };

/** A bundle that changes when the test says so. */
async function scriptedServer() {
  const questions: number[] = [];
  const held: ServerResponse[] = [];
  const followed: string[] = [];
  const streams = new Map<string, ServerResponse>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://h');
    const json = (value: unknown) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname.endsWith('/oauth2/token'))
      return json({ access_token: 't', refresh_token: 'r', expires_in: 3600 });
    if (url.pathname.endsWith('/changes')) {
      questions.push(Number(url.searchParams.get('after')));
      return void held.push(response);
    }
    const file = /\/contents\/follow\/(\w+)$/.exec(url.pathname)?.[1];
    if (file === undefined) return response.writeHead(404).end('Not found');
    followed.push(`${file}@${url.searchParams.get('offset')}`);
    response.writeHead(200).flushHeaders();
    streams.set(file, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const next = () => eventually('a question about changes', () => held.shift(), 10_000);
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    questions,
    followed,
    stream: (file: string) => eventually(`a reader of ${file}`, () => streams.get(file), 10_000),
    async change(state: string, version: number) {
      const response = await next();
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ uuid, state, version, state_details: null }));
    },
    async hangUp() {
      (await next()).destroy();
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

afterAll(removePrograms);
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('wait', () => {
  test('asks anew from the last version, through time-outs, until the state is final', async () => {
    const server = await scriptedServer();
    const waiting = await startCl(['wait', `${server.address}::${uuid}`], { env });
    await server.change('staged', 3);
    await server.change('staged', 3);
    await server.change('running', 5);
    await server.change('ready', 9);
    expect(await waiting.ended).toEqual({ code: 0, stdout: `${uuid}\n`, stderr: '' });
    expect(server.questions).toEqual([0, 3, 3, 5]);
    server.close();
  });

  test('survives a connection that breaks, and says so once', async () => {
    const server = await scriptedServer();
    const waiting = await startCl(['wait', `${server.address}::${uuid}`], { env });
    await server.hangUp();
    await server.hangUp();
    await server.change('failed', 2);
    const { code, stdout, stderr } = await waiting.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^Cannot reach .*Waiting for it to come back\.\nThe server is back\.\nfailed\n$/);
    server.close();
  });

  test('Ctrl-C ends with 130', async () => {
    const server = await scriptedServer();
    const waiting = await startCl(['wait', `${server.address}::${uuid}`], { env });
    await eventually('a question', () => server.questions.length > 0 || undefined);
    waiting.child.kill('SIGINT');
    expect(await waiting.ended).toEqual({ code: 130, stdout: '', stderr: '\nTerminated by Ctrl-C\n' });
    server.close();
  });

  test('--tail goes on where a broken stream stopped, and shows each byte once', async () => {
    const server = await scriptedServer();
    const waiting = await startCl(['wait', '-t', `${server.address}::${uuid}/log`], { env });
    const first = await server.stream('log');
    first.write('one\n', () => setImmediate(() => first.destroy()));
    await server.change('running', 2);
    await eventually('a second reader', () => server.followed.length > 1 || undefined);
    (await server.stream('log')).end('two\n');
    await server.change('ready', 3);
    await eventually('a last look', () => server.followed.length > 2 || undefined);
    (await server.stream('log')).end();
    expect(await waiting.ended).toEqual({ code: 0, stdout: `one\ntwo\n${uuid}\n`, stderr: '' });
    expect(server.followed).toEqual(['log@0', 'log@4', 'log@8']);
    server.close();
  });
});

describe('with a real worker', () => {
  let sheaf: Installation;
  beforeAll(async () => {
    sheaf = await startInstallation();
    await sheaf.startWorker();
  }, 120_000);
  afterAll(() => sheaf.stop());

  test('run -t shows what is written while it is written', async () => {
    // The command goes on only when it is told to, so that what shows before has shown live.
    const running = await sheaf.start([
      'run',
      '-t',
      'echo first; until [ -e go ]; do sleep 0.05; done; cat go; echo err >&2',
    ]);
    const made = await eventually(
      'the first line',
      () => /^(0x[0-9a-f]{32})\nfirst\n$/.exec(running.stdout())?.[1],
    );
    expect(await sheaf.ok('info', '-f', 'state,failure_message,exitcode', made)).toBe('running\tNone\tNone');
    expect(await sheaf.ok('write', `${made}/go`, 'told')).toBe(made);
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replace('err\n', '')).toBe(`${made}\nfirst\ntold`);
    expect(stdout).toContain('err\n');
    expect(await sheaf.ok('cat', `${made}/stdout`)).toBe('first\ntold');
  });

  test('run -W shows the bundle when it is over; a failure changes the exit code only on demand', async () => {
    const waited = await sheaf.cl(['run', '-W', 'exit 3']);
    expect(waited.code).toBe(0);
    expect(waited.stdout).toMatch(/^0x[0-9a-f]{32}\nbundle_type/);
    expect(waited.stdout).toMatch(/^state +: failed$/m);
    expect(waited.stdout).toMatch(/^exitcode +: 3$/m);
    expect(await sheaf.cl(['run', '-t', '--check', 'exit 3'])).toMatchObject({ code: 1 });
  });

  test('a run reads its inputs, and what it made can be downloaded while it goes on', async () => {
    await sheaf.ok('upload', '-c', 'input', '-n', 'in');
    const made = await sheaf.ok(
      'run',
      ':in',
      'mkdir d; cat in > d/out; until [ -e go ]; do sleep 0.05; done',
    );
    const out = join(home, 'running.out');
    await eventually('the file of the run', async () =>
      (await sheaf.cl(['cat', `${made}/d/out`])).stdout === 'input' ? true : undefined,
    );
    await sheaf.ok('download', `${made}/d`, '-o', out);
    await sheaf.ok('write', `${made}/go`, '');
    expect(await sheaf.ok('wait', made)).toBe(made);
    expect(
      (await sheaf.ok('cat', made))
        .split('\n')
        .slice(2)
        .map((line) => line.split(' ')[0]),
    ).toEqual(['d', 'go', 'stderr', 'stdout']);
    const rows = (await sheaf.ok('workers')).split('\n');
    expect(rows).toHaveLength(3);
    expect(rows[2]).toMatch(/^local +\d+\/\d+ +0\/\d+ +\S+ +\S+ +\S+ ago .*sandbox *$/);
  });
});
