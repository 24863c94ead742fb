/* The program itself, with real sandboxes, killed at bad moments. */
import { detectRuntime, RuntimeError } from '@sheaf/runtimes';
import { describeWith, eventually, SkipReason, type StartedProcess } from '@sheaf/testkit';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WorkerProgram } from './testing/process.ts';
import { ProtocolServer } from './testing/protocol-server.ts';
import { aRun, runMessageFor, type RunWish } from './testing/run-message.ts';

let program: WorkerProgram;
let server: ProtocolServer;
let worker: StartedProcess;

beforeAll(async () => {
  program = await WorkerProgram.build();
});
afterAll(() => program.remove());

beforeEach(async () => {
  server = await ProtocolServer.start();
});
afterEach(async () => {
  await worker.stop();
  await server.goAway();
  rmSync(program.workDirectory, { recursive: true, force: true });
});

const start = async (...words: string[]) => {
  worker = program.start(server.url, ...words);
  await worker.waitForOutput(/"Worker started!"/);
};
const message = (wish: RunWish) => runMessageFor({ ...wish, resources: { image_requested: false } });
const runDirectory = () => join(program.workDirectory, 'runs', aRun);
const reported = (state: string) =>
  eventually(`report ${state}`, () => server.reportsOf(aRun).find((report) => report.state === state));

describe('what is wrong is said in one sentence', () => {
  it('a flag that does not exist', async () => {
    worker = program.start(server.url, '--frobnicate');

    expect((await worker.ended).code).toBe(1);
    expect(worker.output).toBe('There is no flag --frobnicate; --help lists those there are.\n');
  });

  it('a server that is not there', async () => {
    worker = program.start('http://127.0.0.1:9');

    expect((await worker.ended).code).toBe(1);
    expect(worker.output).toMatch(/^Cannot reach http:\/\/127.0.0.1:9: nothing listens there\. .+\n$/);
  });

  it('a wrong password', async () => {
    server.intercept = (path, request, response) => {
      if (path !== '/rest/oauth2/token') return false;
      request.resume();
      response.writeHead(401).end('{"error": "invalid_grant"}');
      return true;
    };
    worker = program.start(server.url);

    expect((await worker.ended).code).toBe(1);
    expect(worker.output).toMatch(/^\S+ does not accept this user name and password: .+\n$/);
  });

  it('another program on the port', async () => {
    server.intercept = (_, request, response) => {
      request.resume();
      response.writeHead(404).end('<html>');
      return true;
    };
    worker = program.start(server.url);

    expect((await worker.ended).code).toBe(1);
    expect(worker.output).toMatch(/^\S+ does not answer as a Sheaf or CodaLab server: check --server\.\n$/);
  });

  it('the help ends well', async () => {
    worker = program.start(server.url, '--help');

    expect((await worker.ended).code).toBe(0);
    expect(worker.output).toMatch(/^Usage: cl-worker/);
  });
});

const requireSandbox = {
  async available() {
    const stateDirectory = mkdtempSync(join(tmpdir(), 'sheaf-probe-'));
    try {
      const options = {
        environment: {},
        docker: { worker: 'probe' },
        runc: { worker: 'probe', directory: join(stateDirectory, 'containers') },
        apptainer: { worker: 'probe', directory: join(stateDirectory, 'containers') },
        sandbox: { stateDirectory, hide: [] },
      };
      await (await detectRuntime('sandbox', options)).runtime.close();
    } catch (error) {
      if (error instanceof RuntimeError) throw new SkipReason('sandbox', error.message, { cause: error });
      throw error;
    } finally {
      rmSync(stateDirectory, { recursive: true });
    }
  },
};

describeWith('with real sandboxes', [requireSandbox], () => {
  it('executes a run with dependencies, and ends in order when it is told', async () => {
    await start();
    const entry = await server.keepDirectory('parent', { 'a.txt': 'A', 'b.txt': 'B' });
    const dependency = { parent_uuid: 'parent', entry };
    server.assign(
      message({
        command: 'cat data/a.txt deep/er/b.txt; cat a.txt; touch data/x || echo read-only; echo out > file',
        dependencies: ['data', 'deep/er', '.'].map((child_path) => ({ ...dependency, child_path })),
      }),
    );

    expect(await reported('finalizing')).toMatchObject({ exitcode: 0, runtime: 'sandbox' });
    const results = await server.results(aRun);
    expect(results['stdout']).toBe('ABAread-only\n');
    expect(Object.keys(results).toSorted()).toEqual(['file', 'stderr', 'stdout']);

    const { code } = await worker.stop();
    expect(code).toBe(0);
    expect(server.checkouts).toBe(1);
  });

  it('killed with -9 while a run runs: the next worker of the same name finishes it', async () => {
    await start();
    // The command goes on only when the file appears, which happens after the worker is gone.
    server.assign(message({ command: 'echo before; until [ -e go ]; do sleep 0.05; done; echo after' }));
    await reported('running');
    await eventually('saved handle', () =>
      server.reportsOf(aRun).find(({ container_time_total: time }) => time > 0),
    );

    worker.kill('SIGKILL');
    await worker.ended;
    writeFileSync(join(runDirectory(), 'go'), '');
    await start();

    expect(await reported('finalizing')).toMatchObject({ exitcode: 0, failure_message: null });
    expect(await server.results(aRun)).toMatchObject({ stdout: 'before\nafter\n' });
    expect(server.requests.filter((request) => request.includes('start_bundle'))).toHaveLength(1);
  });

  it('killed with -9, and the command ended while nobody looked', async () => {
    await start();
    server.assign(message({ command: 'until [ -e go ]; do sleep 0.05; done; exit 5' }));
    await reported('running');

    worker.kill('SIGKILL');
    await worker.ended;
    writeFileSync(join(runDirectory(), 'go'), '');
    await start();

    expect(await reported('finalizing')).toMatchObject({ exitcode: 5 });
  });

  it('a second worker in the same directory is refused, the first is not disturbed', async () => {
    await start();
    const second = program.start(server.url);

    expect((await second.ended).code).toBe(1);
    expect(second.output).toMatch(
      /^Another worker \(process \d+\) uses .+ or give this one another --work-dir\.\n$/,
    );
    server.assign(message({ command: 'echo fine' }));
    expect(await reported('finalizing')).toMatchObject({ exitcode: 0 });
  });

  it('shows a run nothing of the worker', async () => {
    await start();
    server.assign(
      message({
        command: `ls ${program.directory} 2>&1; cat ${join(program.directory, 'password')} 2>&1; env | grep -c CODALAB_PASSWORD`,
      }),
    );

    await reported('finalizing');
    const { stdout } = await server.results(aRun);
    expect(stdout).not.toContain('secret');
    expect(stdout).toMatch(/No such file[^]*No such file[^]*\n0\n$/);
  });
});
