/** The real programs for tests: bundled once in a test file, started as processes with nothing of the developer's own settings. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { build } from 'esbuild';
import { bundleClient } from '../../bundle.mjs';

const root = resolve(import.meta.dirname, '../../../..');
let folder: string | undefined;
const bundled = new Map<string, Promise<string>>();

function programs(): string {
  if (folder !== undefined) return folder;
  const made = mkdtempSync(join(tmpdir(), 'sheaf-cl-programs-'));
  // Libraries with native parts stay outside the bundles and are looked for beside them.
  symlinkSync(join(root, 'node_modules'), join(made, 'node_modules'));
  folder = made;
  return made;
}

/** To be called after all tests of a file. */
export function removePrograms(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  folder = undefined;
  bundled.clear();
}

/** The built file of a program. */
function program(name: 'cli' | 'server' | 'worker'): Promise<string> {
  const known = bundled.get(name);
  if (known !== undefined) return known;
  const built = name === 'cli' ? bundleOfClient() : bundleOf(name);
  bundled.set(name, built);
  return built;
}

async function bundleOfClient(): Promise<string> {
  const outdir = join(programs(), 'cli');
  mkdirSync(outdir, { recursive: true });
  await bundleClient({ root, outdir });
  return join(outdir, 'cl.js');
}

async function bundleOf(name: 'server' | 'worker'): Promise<string> {
  const outdir = join(programs(), name);
  const js =
    "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";
  await build({
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    external: ['@photostructure/sqlite', 'pg-native', 'node:sqlite'],
    banner: { js },
    logLevel: 'error',
    entryPoints: { process: `packages/${name}/src/process.ts` },
    outdir,
  });
  return join(outdir, 'process.mjs');
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Buffer;
  /** More input may follow. */
  readonly inputStaysOpen?: boolean;
}

export interface RunningCl {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What has come on stdout so far. */
  stdout(): string;
}

/** Starts `cl`. The environment is only what is given; every test has a home of its own. */
export async function startCl(words: readonly string[], options: ClOptions = {}): Promise<RunningCl> {
  const child = spawn(process.execPath, [await program('cli'), ...words], {
    cwd: options.cwd,
    env: { CODALAB_SESSION: 'test', ...options.env },
  });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.write(options.input ?? '');
  if (options.inputStaysOpen !== true) child.stdin.end();
  const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
  const ended = (once(child, 'close') as Promise<[number | null]>).then(([code]) => ({
    code,
    stdout: text(out),
    stderr: text(err),
  }));
  return { child, ended, stdout: () => text(out) };
}

/** Runs `cl` to its end. */
export async function cl(words: readonly string[], options: ClOptions = {}): Promise<Ended> {
  return (await startCl(words, options)).ended;
}

export interface Installation {
  readonly url: string;
  readonly home: string;
  /** `cl` as the administrator of this server. */
  cl(words: readonly string[], options?: ClOptions): Promise<Ended>;
  start(words: readonly string[], options?: ClOptions): Promise<RunningCl>;
  /** Its output, of a command that must succeed, without the last newline. */
  ok(...words: string[]): Promise<string>;
  startWorker(): Promise<void>;
  stop(): Promise<void>;
}

/** A real server with an empty home. */
export async function startInstallation(): Promise<Installation> {
  const home = mkdtempSync(join(tmpdir(), 'sheaf-cl-home-'));
  const children: ChildProcess[] = [];
  const launch = async (name: 'server' | 'worker', words: readonly string[]): Promise<Ready> => {
    const child = spawn(process.execPath, [await program(name), ...words], {
      env: { ...process.env, SHEAF_HOME: home, SHEAF_PORT: '0', SHEAF_LOG_LEVEL: 'silent' },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(child);
    const [message] = (await once(child, 'message')) as [Ready];
    if (message.type === 'failed') throw new Error(message.message);
    return message;
  };
  const { url = '' } = await launch('server', []);
  const withHome = (options: ClOptions = {}): ClOptions => ({
    ...options,
    env: { SHEAF_HOME: home, ...options.env },
  });
  const run = (words: readonly string[], options?: ClOptions) => cl(words, withHome(options));
  return {
    url,
    home,
    cl: run,
    start: (words, options) => startCl(words, withHome(options)),
    async ok(...words) {
      const { code, stdout, stderr } = await run(words);
      if (code !== 0) throw new Error(`cl ${words.join(' ')} ended with ${code}:\n${stderr}${stdout}`);
      return stdout.replace(/\n$/, '');
    },
    async startWorker() {
      const credentials = join(home, 'administrator.json');
      const words = ['--server', url, '--credentials', credentials, '--work-dir', join(home, 'worker')];
      await launch('worker', [...words, '--id', 'local', '--runtime', 'sandbox']);
    },
    async stop() {
      for (const child of children.toReversed()) {
        if (child.exitCode !== null) continue;
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      rmSync(home, { recursive: true, force: true });
    },
  };
}

interface Ready {
  readonly type: 'ready' | 'failed';
  readonly url?: string;
  readonly message?: string;
}
