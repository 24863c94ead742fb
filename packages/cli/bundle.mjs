// Bundles `cl` so that it starts fast (docs/decisions/0602-start-of-the-client.md): one CommonJS file for all small commands, which
// Node reads sooner than ES modules, and beside it, loaded when they are needed, the parts that are large or rarely wanted.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files that are loaded with `import()`; nothing that both they and the rest contain is told apart by its class. */
const apart = {
  'contents-engine': 'packages/cli/src/contents-engine.ts',
  'session-engine': 'packages/cli/src/session-engine.ts',
  'terminal-prompt': 'packages/cli/src/configuration/terminal-prompt.ts',
};

const loadedLater = {
  name: 'loaded-later',
  setup(build) {
    build.onResolve({ filter: /\.ts$/ }, ({ path, kind }) => {
      if (kind !== 'dynamic-import') return undefined;
      const name = Object.keys(apart).find((one) => path.endsWith(`/${one}.ts`));
      if (name === undefined)
        throw new Error(`${path} is loaded later, but has no file of its own: name it in bundle.mjs.`);
      return { path: `./${name}.js`, external: true };
    });
  },
};

/** A function of what CommonJS gives a module, so that the text can be compiled apart from being loaded. */
const asFunction = {
  banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
  footer: { js: '})' },
};

/**
 * @param {{ root: string, outdir: string }} places the folder of the repository, and where to put the program
 * @returns what went into each file
 */
export async function bundleClient({ root, outdir }) {
  const { build } = await import('esbuild');
  const common = {
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    // `import()` becomes `require`: the loader of ES modules would have to be started for it.
    supported: { 'dynamic-import': false },
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    plugins: [loadedLater],
    outdir,
  };
  const [main, others] = await Promise.all([
    build({ ...common, ...asFunction, entryPoints: { main: 'packages/cli/src/main.ts' } }),
    build({ ...common, entryPoints: apart }),
  ]);
  const program = join(outdir, 'main.js');
  copyFileSync(join(root, 'packages/cli/start.cjs'), join(outdir, 'cl.js'));
  // A home of its own, whose server is nowhere: nothing of the user's is read, and nobody is asked anything.
  const home = join(outdir, 'nobody');
  mkdirSync(home);
  writeFileSync(join(home, 'server.json'), '{ "url": "http://127.0.0.1:1" }');
  spawnSync(process.execPath, [join(root, 'packages/cli/warm.cjs'), program], {
    env: { SHEAF_HOME: home, CODALAB_SESSION: 'build', CODALAB_USERNAME: 'nobody', CODALAB_PASSWORD: '-' },
    stdio: 'ignore',
    timeout: 10_000,
  });
  rmSync(home, { recursive: true, force: true });
  writeFileSync(join(outdir, 'package.json'), '{ "type": "commonjs" }\n');
  return { outputs: { ...main.metafile.outputs, ...others.metafile.outputs } };
}
