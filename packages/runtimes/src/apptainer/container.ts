/** Everything around the command of one run: the directories that are its own, and the words that make its container. */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GroupHost } from '../cgroups/host.ts';
import { missingDirectories } from '../image-store/scope.ts';
import type { RunSpecification } from '../port.ts';
import { kernelDirectories } from '../sandbox/layout.ts';
import type { RunPaths } from '../sandbox/record.ts';
import { isRoot, type SandboxUser } from '../sandbox/user.ts';
import { apptainerCommand, groupDescriptors, type Bind, type OverlayPlace } from './command.ts';
import {
  accountFiles,
  makerCommand,
  noSurroundings,
  ownSurroundings,
  placeBesides,
  rootSurroundings,
  type Surroundings,
} from './surroundings.ts';

/** What this machine lets a worker do, found out by trying. */
export interface ApptainerMeans {
  /** A mount namespace beforehand, for what Apptainer cannot do; always for root. */
  readonly namespace: boolean;
  readonly overlay: OverlayPlace['kind'];
  /** Where control groups can be made, and joined from inside; undefined: nowhere. */
  readonly groups: GroupHost | undefined;
}

/** Files that runs have in the place of the image's, by target. */
export interface RunFiles {
  readonly network: Readonly<Record<string, string>>;
  /** For those without network access. */
  readonly alone: Readonly<Record<string, string>>;
}

export interface Container {
  /** Path of the program. */
  readonly program: string;
  readonly means: ApptainerMeans;
  readonly files: RunFiles;
  readonly run: RunSpecification;
  readonly paths: RunPaths;
  /** Directory of the image's files. */
  readonly image: string;
  /** As root: who the command runs as. Undefined: whoever we are. */
  readonly user: SandboxUser | undefined;
  /** Files of the control groups that the run is to join. */
  readonly joined: readonly string[];
  /** What to run inside, where so many of them are open. */
  readonly command: (joined: number) => readonly string[];
}

/** Places that Apptainer mounts something on, and makes in no image. */
const needed = ['/dev', '/proc', '/sys', '/etc', '/tmp', '/var/tmp'];

/** Makes what the run's own user writes to, and in it the directories that the image lacks. @param image directory of its files */
export function makePlaces(paths: RunPaths, image: string, user: SandboxUser | undefined): void {
  const upper = join(paths.overlay, 'upper');
  const own = [paths.overlay, upper, join(paths.overlay, 'work'), paths.temporary];
  for (const directory of own) mkdirSync(directory, { recursive: true });
  for (const path of missingDirectories(image, needed)) mkdirSync(join(upper, path), { recursive: true });
  chmodSync(upper, 0o755);
  if (user === undefined) return;
  for (const directory of own) chownSync(directory, user.uid, user.gid);
}

/** The complete command line. */
export function containerCommand(container: Container): string[] {
  const { run, paths, means, program, user } = container;
  const joined = container.joined.slice(0, groupDescriptors.length);
  const binds = bindsOf(container);
  const around = surroundingsOf(container, binds);
  const shared = around.sharedMemory;
  const maker = makerCommand({
    namespace: isRoot() ? 'mount' : means.namespace ? 'user' : 'none',
    script: around.script,
    groups: joined,
    user,
  });
  const call = apptainerCommand({
    program,
    run,
    image: around.path(container.image),
    overlay: { kind: means.overlay, path: around.path(paths.overlay) },
    temporary: around.path(paths.temporary),
    binds: [
      ...kernelBinds(run),
      ...(shared === undefined ? [] : [{ source: shared, target: '/dev/shm', readOnly: false }]),
      ...binds.map((bind) => ({ ...bind, source: around.path(bind.source) })),
    ],
    command: container.command(joined.length),
  });
  return [...maker, ...call];
}

function bindsOf({ files, run }: Container): Bind[] {
  return [
    ...Object.entries(run.network ? files.network : files.alone).map(([target, source]) => ({
      source,
      target,
      readOnly: true,
    })),
    { source: run.directory, target: `/${run.uuid}`, readOnly: false },
    ...run.mounts.map(({ source, target }) => ({ source, target, readOnly: true })),
  ];
}

/** What programs read to learn about processors. */
function kernelBinds(run: RunSpecification): Bind[] {
  if (run.gpus.length > 0) return [];
  return kernelDirectories().map((path) => ({ source: path, target: path, readOnly: true }));
}

function surroundingsOf(container: Container, binds: readonly Bind[]): Surroundings {
  const { means, program, paths, image, user } = container;
  const { sharedMemory } = container.run;
  if (user === undefined) {
    return means.namespace ? ownSurroundings({ sharedMemory, root: paths.root }) : noSurroundings();
  }
  const own = [
    { source: image, readOnly: true },
    ...[paths.overlay, paths.temporary].map((source) => ({ source, readOnly: false })),
  ];
  const sources = new Map([...own, ...binds].map((one) => [one.source, one]));
  return rootSurroundings({
    shown: [...sources.values()].map(({ source, readOnly }) => ({
      source,
      readOnly,
      isFile: statSync(source).isFile(),
    })),
    sharedMemory,
    root: paths.root,
    place: placeBesides([program]),
    accounts: writeAccounts(paths, user),
  });
}

function writeAccounts(paths: RunPaths, user: SandboxUser): Record<string, string> {
  const files = Object.entries(accountFiles(user)).map(([name, text]): [string, string] => {
    const file = join(paths.directory, name);
    writeFileSync(file, text, { mode: 0o644 });
    return [`/etc/${name}`, file];
  });
  return Object.fromEntries(files);
}
