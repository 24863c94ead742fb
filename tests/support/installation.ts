/* A whole installation for a test: server and worker as processes of their own, with all data in a temporary home. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import type { BundleAttributes, Resource } from '@sheaf/wire';
import { end, launch, type Launched } from './launch.ts';
import { root, run, type Finished, type RunOptions } from './programs.ts';

export { end } from './launch.ts';

export type RuntimeChoice = 'docker' | 'podman' | 'runc' | 'apptainer' | 'sandbox';

export class Installation {
  readonly home = mkdtempSync(join(tmpdir(), 'sheaf-test-'));
  readonly runtime: RuntimeChoice;
  readonly #environment: Record<string, string>;
  url = '';
  #token: string | undefined;
  server: ChildProcess | undefined;
  worker: ChildProcess | undefined;

  constructor(runtime: RuntimeChoice, environment: Record<string, string> = {}) {
    this.runtime = runtime;
    this.#environment = environment;
  }

  /** Starts server and worker and waits until both say they are ready. */
  static async start(
    runtime: RuntimeChoice,
    environment: Record<string, string> = {},
  ): Promise<Installation> {
    const installation = new Installation(runtime, environment);
    try {
      await installation.startServer();
      await installation.startWorker();
    } catch (error) {
      await installation.stop();
      throw error;
    }
    return installation;
  }

  /** The port stays the same when the server is started again, as it does for users. */
  async startServer(): Promise<void> {
    const port = this.url === '' ? '0' : new URL(this.url).port;
    const { child, ready } = await this.#launch('server', ['build/server/process.js'], { SHEAF_PORT: port });
    this.server = child;
    this.url = ready.url ?? '';
  }

  async startWorker(words: readonly string[] = []): Promise<void> {
    const { child } = await this.#launch('worker', [
      'build/worker/process.js',
      '--server',
      this.url,
      '--credentials',
      join(this.home, 'administrator.json'),
      '--work-dir',
      join(this.home, 'worker'),
      '--local-store',
      join(this.home, 'contents'),
      '--id',
      'local',
      '--runtime',
      this.runtime,
      ...words,
    ]);
    this.worker = child;
  }

  /** `bin/cl` with this installation's home; nothing of the developer's own configuration. */
  cl(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run(process.execPath, [join(root, 'bin/cl'), ...words], {
      ...options,
      env: { SHEAF_HOME: this.home, CODALAB_SESSION: 'test', ...options.env },
    });
  }

  /** Standard output of a command that must succeed, without the final newline. */
  async ok(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cl(words);
    if (code !== 0) throw new Error(`cl ${words.join(' ')} ended with ${code}:\n${stderr}${stdout}`);
    return stdout.trimEnd();
  }

  /** The administrator's; asked for once. */
  async token(): Promise<string> {
    this.#token ??= await this.tokenOf(join(this.home, 'administrator.json'));
    return this.#token;
  }

  /** @param file JSON with name and password */
  async tokenOf(file: string): Promise<string> {
    const { username, password } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    const answer = await fetch(`${this.url}/rest/oauth2/token`, {
      method: 'POST',
      headers: {
        authorization: 'Basic Y29kYWxhYl9jbGlfY2xpZW50Og==',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ grant_type: 'password', username, password } as Record<
        string,
        string
      >).toString(),
    });
    const body = (await answer.json()) as { access_token: string };
    return body.access_token;
  }

  /**
   * Asks the REST API, as the administrator unless a token is given.
   * @throws Error with what the server said, unless it agreed
   */
  async api<Answer = unknown>(method: string, path: string, body?: unknown, token?: string): Promise<Answer> {
    const answer = await fetch(`${this.url}/rest${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token ?? (await this.token())}`,
        'x-requested-with': 'XMLHttpRequest',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }

  async bundle(uuid: string): Promise<BundleAttributes> {
    const document = await this.api<{ data: Resource<BundleAttributes> }>('GET', `/bundles/${uuid}`);
    return document.data.attributes;
  }

  /** Waits until the bundle is in one of the states. */
  inState(uuid: string, ...states: string[]): Promise<BundleAttributes> {
    return eventually(
      `${uuid} ${states.join(' or ')}`,
      async () => {
        const bundle = await this.bundle(uuid);
        return states.includes(bundle.state ?? '') ? bundle : undefined;
      },
      60_000,
    );
  }

  finished(uuid: string): Promise<BundleAttributes> {
    return this.inState(uuid, 'ready', 'failed', 'killed');
  }

  log(program: 'server' | 'worker'): string {
    return readFileSync(join(this.home, `${program}.log`), 'utf8');
  }

  async stop(): Promise<void> {
    await end(this.worker, 'SIGTERM');
    await end(this.server, 'SIGTERM');
    // Runs may have left what lies deeper than a path may lead; the system's own program removes that, too.
    await run('rm', ['-rf', this.home]);
  }

  #launch(
    name: 'server' | 'worker',
    words: readonly string[],
    more: Record<string, string> = {},
  ): Promise<Launched> {
    return launch(name, words, {
      log: join(this.home, `${name}.log`),
      environment: { SHEAF_HOME: this.home, ...this.#environment, ...more },
    });
  }
}
