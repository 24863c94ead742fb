import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from './main.ts';
import { readSettings, type Settings } from './settings/settings.ts';
import { StartError } from './start-error.ts';

let home: string;
const running: RunningServer[] = [];
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'sheaf-main-'));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const settings = (name: string, more: Record<string, string> = {}): Settings =>
  readSettings({ SHEAF_HOME: join(home, name), SHEAF_PORT: '0', ...more });
const start = async (given: Settings) => {
  const server = await startServer(given, pino({ level: 'silent' }));
  running.push(server);
  return server;
};
const refusal = async (given: Settings) => {
  const error: unknown = await start(given).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StartError);
  return (error as StartError).message;
};

describe('starting', () => {
  it('says where it is in a file of the home, and takes it away at the end', async () => {
    const given = settings('a/b');
    const server = await start(given);
    const file = join(given.home, 'server.json');

    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      url: server.url,
      pid: process.pid,
      version: '1.7.3',
    });
    expect((await stat(given.home)).mode & 0o777).toBe(0o700);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    await server.close();
    await expect(stat(file)).rejects.toThrow('ENOENT');
    await expect(fetch(`${server.url}/health`)).rejects.toThrow('fetch failed');
  });

  it('starts again on what is there', async () => {
    await (await start(settings('again'))).close();
    const server = await start(settings('again'));

    expect((await fetch(`${server.url}/rest/users/codalab`)).status).toBe(200);
  });

  it('names a port that is in use, and what to do', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };

    expect(await refusal(settings('busy', { SHEAF_PORT: String(port) }))).toBe(
      `127.0.0.1:${port} is in use by another program: stop that one, or set SHEAF_PORT to another port.`,
    );
    await new Promise((resolve) => other.close(resolve));
  });

  it('refuses a home that cannot be', async () => {
    await writeFile(join(home, 'file'), '');

    expect(await refusal(settings('file/below'))).toMatch(
      /cannot keep its data in .*file\/below.*SHEAF_HOME/,
    );
    expect(await refusal(settings('../../proc/none'))).toMatch(/SHEAF_HOME/);
  });

  it('refuses a second server on the same home, and not one that is gone', async () => {
    const server = await start(settings('twice'));
    const file = join(home, 'twice', 'server.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(String(process.pid), '1'));

    expect(await refusal(settings('twice'))).toContain(`running already at ${server.url} (process 1)`);
    await server.close();
    await writeFile(file, text.replace(String(process.pid), '1'));
    await expect(start(settings('twice'))).resolves.toBeDefined();
  });

  it('says that the database does not answer', async () => {
    expect(await refusal(settings('nodb', { SHEAF_DATABASE_URL: 'postgresql://127.0.0.1:1/x' }))).toMatch(
      /^The database does not answer .*SHEAF_DATABASE_URL/,
    );
  });

  it('refuses an address that is not of this machine', async () => {
    expect(await refusal(settings('far', { SHEAF_HOST: '203.0.113.7' }))).toContain('SHEAF_HOST');
  });
});

describe('the program', () => {
  let program: string;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    program = join(home, 'program.mjs');
    // Native modules are not bundled, and looked for from where the program is.
    await symlink(join(import.meta.dirname, '../../../node_modules'), join(home, 'node_modules'));
    await build({
      entryPoints: [join(import.meta.dirname, 'process.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['@photostructure/sqlite', 'pg-native', 'node:sqlite'],
      banner: { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" },
      logLevel: 'error',
    });
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
  });

  const launch = (environment: Record<string, string>) => {
    const child = spawn(process.execPath, [program], {
      env: { PATH: process.env['PATH'], SHEAF_PORT: '0', ...environment },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    children.push(child);
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const message = new Promise<Record<string, string>>((resolve) =>
      child.once('message', (sent) => resolve(sent as never)),
    );
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    return { child, message, ended, errors: () => errors };
  };

  it.each(['SIGTERM', 'SIGINT'] as const)('says it is ready, and ends cleanly on %s', async (signal) => {
    const { child, message, ended } = launch({ SHEAF_HOME: join(home, signal) });

    const ready = await message;
    expect(ready).toMatchObject({ type: 'ready' });
    expect((await fetch(`${ready['url']}/health`)).status).toBe(200);
    child.kill(signal);
    expect(await ended).toBe(0);
  });

  it('ends when whoever started it is gone', async () => {
    const { child, message, ended } = launch({ SHEAF_HOME: join(home, 'orphan') });
    await message;

    child.disconnect();

    expect(await ended).toBe(0);
  });

  it.each([
    [{ SHEAF_PORT: 'high' }, 'SHEAF_PORT'],
    [{ SHEAF_MAX_REQUEST_MEMORY: 'much' }, 'SHEAF_MAX_REQUEST_MEMORY'],
    [{ SHEAF_DATABASE_URL: 'mysql://x' }, 'SHEAF_DATABASE_URL'],
  ])('prints one sentence about %j and fails', async (environment, named) => {
    const { message, ended, errors } = launch({ SHEAF_HOME: join(home, 'bad'), ...environment });

    expect(await message).toMatchObject({
      type: 'failed',
      message: expect.stringContaining(named) as string,
    });
    expect(await ended).toBe(1);
    expect(errors().trim().split('\n')).toHaveLength(1);
    expect(errors()).toContain(named);
  });
});

it('keeps the home of others closed to them', async () => {
  const given = settings('closed');
  await start(given);
  await chmod(given.home, 0o755);

  expect((await stat(join(given.home, 'administrator.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(given.home, 'database'))).mode & 0o777).toBe(0o700);
});
