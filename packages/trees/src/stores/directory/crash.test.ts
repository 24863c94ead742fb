import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../fixtures/temporary.ts';
import { digestOf } from '../../tree/digest.ts';
import { DirectoryStore } from './directory-store.ts';

const index = fileURLToPath(new URL('../../index.ts', import.meta.url));

/** Bundles a program as it is shipped, which also shows that the store's thread lives without its source files. */
async function program(directory: string, source: string): Promise<string> {
  const outfile = join(directory, 'program.mjs');
  await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('.', import.meta.url)), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: true,
    keepNames: true,
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    outfile,
  });
  return outfile;
}

const writer = `
  import { randomBytes } from 'node:crypto';
  import { DirectoryStore } from ${JSON.stringify(index)};
  const store = await DirectoryStore.open(process.argv[2]);
  const chunk = randomBytes(1 << 20);
  const large = async () => {
    const writer = await store.writer();
    for (let piece = 0; piece < 40; piece += 1) await writer.write(chunk);
    chunk[0] += 1;
    await writer.commit();
  };
  const small = async () => { await store.putMany(Array.from({ length: 500 }, () => randomBytes(2000))); };
  const partial = async () => {
    const endless = async function* () { for (;;) { yield chunk.subarray(0, 64 * 1024); await new Promise(setImmediate); } };
    const partial = store.partial('ab'.repeat(32), 2 ** 40);
    await partial.append(await partial.offset(), endless());
  };
  void partial();
  for (let round = 0; ; round += 1) {
    await Promise.all([small(), large(), small()]);
    if (round === 0) console.log('writing');
  }
`;

describe('a process killed while it writes', () => {
  it('leaves whole blobs and temporary files, which a sweep removes', async () => {
    const directory = await temporaryDirectory();
    const root = join(directory, 'store');
    const path = await program(directory, writer);
    for (let round = 0; round < 3; round += 1) {
      const child = spawn(process.execPath, [path, root], { stdio: ['ignore', 'pipe', 'inherit'] });
      onTestFinished(() => void child.kill('SIGKILL'));
      const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
      expect(String(first)).toBe('writing\n');
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    const store = await DirectoryStore.open(root);
    const problems = [];
    for await (const problem of store.check()) problems.push(problem);
    expect(problems).toEqual([]);
    const left = [...readdirSync(join(root, 'temp')), ...readdirSync(join(root, 'partial'))];
    expect(left.length).toBeGreaterThan(0);

    const swept = await store.sweep(Date.now() + 1000);

    expect(swept.removed).toBe(left.length);
    expect([...readdirSync(join(root, 'temp')), ...readdirSync(join(root, 'partial'))]).toEqual([]);
    const bytes = Buffer.from('still works');
    expect(await store.put(bytes)).toBe(digestOf(bytes));
    await store.close();
  });

  it('may end while the store is open and idle, and not while it works', async () => {
    const directory = await temporaryDirectory();
    const source = `
      import { DirectoryStore } from ${JSON.stringify(index)};
      const store = await DirectoryStore.open(process.argv[2]);
      void store.putMany(Array.from({ length: 3000 }, (_, index) => Buffer.from(String(index)))).then((digests) => console.log(digests.length));
    `;
    const child = spawn(process.execPath, [await program(directory, source), join(directory, 'store')]);
    let output = '';
    child.stdout.on('data', (text) => {
      output += String(text);
    });

    const [code] = await once(child, 'close');

    expect([code, output]).toEqual([0, '3000\n']);
  });
});
