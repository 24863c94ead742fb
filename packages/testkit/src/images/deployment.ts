/** What the images of a deployment are made from where nothing can be pulled: programs of this machine in a small Debian. */
import { realpathSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { runProcess } from '../processes.ts';
import { requireProgram } from '../services/packages.ts';
import { postgresPrograms } from '../services/postgres.ts';
import { inTurn } from '../services/turns.ts';
import { localPythonImage } from './python.ts';

export interface DeploymentImages {
  /** A Debian with the Node.js of these tests, and iptables. */
  readonly base: string;
  /** Takes the settings of the official image. */
  readonly postgres: string;
}

/** Names of the images in the engine. */
export async function deploymentImages(): Promise<DeploymentImages> {
  const python = await localPythonImage();
  const base = await built(`sheaf-test/deployment:1-${process.version}`, {
    lines: [`FROM ${python}`, 'ADD files.tar /', 'RUN ln -sf xtables-nft-multi /usr/sbin/iptables'],
    files: [
      process.execPath,
      realpathSync(await requireProgram('iptables', 'iptables', 'iptables')),
      ...(await filesBelow('/usr/lib/x86_64-linux-gnu/xtables')),
    ],
  });
  const programs = await postgresPrograms();
  const version = basename(dirname(programs));
  const postgres = await built(`sheaf-test/postgres:${version}-2`, {
    lines: [
      `FROM ${base}`,
      'ADD files.tar /',
      'COPY start-postgres /usr/local/bin/',
      "RUN echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >>/etc/passwd && mkdir -p /var/lib/postgresql/data /run/postgresql && chown -R postgres /var/lib/postgresql /run/postgresql",
      `ENV PGDATA=/var/lib/postgresql/data PATH=${programs}:/usr/bin:/bin`,
      'VOLUME /var/lib/postgresql/data',
      'USER postgres',
      'ENTRYPOINT ["/usr/local/bin/start-postgres"]',
      'STOPSIGNAL SIGINT',
    ],
    files: [
      ...['postgres', 'initdb', 'pg_isready', 'pg_dump'].map((name) => join(programs, name)),
      ...(await filesBelow(join(programs, '../lib'))),
      ...(await filesBelow(`/usr/share/postgresql/${version}`)),
    ],
    scripts: { 'start-postgres': startPostgres },
  });
  return { base, postgres };
}

const startPostgres = `#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" >/tmp/password
  initdb --no-sync --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 "$PGDATA" >/dev/null
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" template1 >/dev/null
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c jit=off
`;

interface Layers {
  readonly lines: readonly string[];
  /** Programs, with the libraries they need, and other files; each at the place where it is here. */
  readonly files: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
}

/** Builds an image, unless the engine has it from another time. */
async function built(name: string, layers: Layers): Promise<string> {
  await inTurn(`build-${basename(name).split(':')[0]}`, async () => {
    if ((await runProcess('docker', ['images', '--quiet', name])).trim() !== '') return;
    const directory = await mkdtemp(join(tmpdir(), 'sheaf-deployment-'));
    try {
      const names = [...layers.files, ...(await librariesOf(layers.files))].map(placeOf);
      await writeFile(join(directory, 'list'), [...new Set(names)].join('\n'));
      const tar = ['--create', '--dereference', '--directory=/', `--files-from=${join(directory, 'list')}`];
      await runProcess('tar', [...tar, `--file=${join(directory, 'files.tar')}`]);
      for (const [script, text] of Object.entries(layers.scripts ?? {})) {
        await writeFile(join(directory, script), text, { mode: 0o755 });
      }
      await writeFile(join(directory, 'Dockerfile'), layers.lines.join('\n'));
      await runProcess('docker', ['build', '--quiet', '--tag', name, directory]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
  return name;
}

/** Libraries are found through links of directories, which the image has, too. */
function placeOf(file: string): string {
  return join(realpathSync(dirname(file)), basename(file)).slice(1);
}

async function librariesOf(files: readonly string[]): Promise<string[]> {
  const programs = files.filter((file) => /\/s?bin\/|\.so$/.test(file));
  const listed = await runProcess('sh', ['-c', 'ldd "$@" 2>/dev/null || true', 'ldd', ...programs]);
  return [...listed.matchAll(/=> (\/\S+)/g)].map(([, path]) => path ?? '');
}

/** Except what compiles queries, which is larger than all the rest. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !/llvmjit|bitcode/.test(join(entry.parentPath, entry.name)))
    .map((entry) => join(entry.parentPath, entry.name));
}
