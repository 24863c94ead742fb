/** The worker program as a process of its own, bundled as it is shipped. */
import { startProcess, type StartedProcess } from '@sheaf/testkit';
import { build } from 'esbuild';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const shim =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

export class WorkerProgram {
  readonly directory = mkdtempSync(join(tmpdir(), 'sheaf-worker-program-'));
  readonly workDirectory = join(this.directory, 'work');
  readonly #file = join(this.directory, 'process.mjs');

  static async build(): Promise<WorkerProgram> {
    const program = new WorkerProgram();
    await build({
      entryPoints: [join(dirname(dirname(fileURLToPath(import.meta.url))), 'process.ts')],
      outfile: program.#file,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      banner: { js: shim },
      logLevel: 'error',
    });
    const passwordFile = join(program.directory, 'password');
    writeFileSync(passwordFile, 'alice\nsecret\n');
    chmodSync(passwordFile, 0o600);
    return program;
  }

  start(server: string, ...words: string[]): StartedProcess {
    const fixed = [
      '--server',
      server,
      '--work-dir',
      this.workDirectory,
      '--id',
      'same',
      '--runtime',
      'sandbox',
    ];
    const secret = ['--password-file', join(this.directory, 'password')];
    return startProcess(process.execPath, [this.#file, ...fixed, ...secret, ...words], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
      // Its runs live on when it is killed, as they do for users.
      detached: false,
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
