/** The file system of a run in a sandbox, as a list of steps that each tool puts into its own words. */
import { RuntimeError, type RunSpecification } from '../port.ts';
import { isBelow, type HiddenPath, type SystemEntry } from './layout.ts';

export type MountStep =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly isFile: boolean;
    }
  /** A directory everybody may pass through, where a mount below it needs one. */
  | { readonly kind: 'directory'; readonly target: string }
  | { readonly kind: 'link'; readonly target: string; readonly to: string }
  /** Size in bytes; 0: the kernel's default. Mode in octal. */
  | { readonly kind: 'memory'; readonly target: string; readonly size: number; readonly mode: string }
  | { readonly kind: 'processes'; readonly target: string }
  | { readonly kind: 'devices'; readonly target: string };

export interface SandboxFacts {
  readonly entries: readonly SystemEntry[];
  readonly hidden: readonly HiddenPath[];
  /** Directories of /sys that programs read to learn about processors. */
  readonly kernelDirectories: readonly string[];
  readonly nameServers: string | undefined;
  /** Directory on the host that becomes the run's /tmp and /var/tmp. */
  readonly temporary: string;
  /** Dependencies that are single files, by source: a file is mounted on a file. */
  isFile(source: string): boolean;
}

/**
 * Lays out a run: the system read-only, dependencies read-only, its directory and a private /tmp writable, nothing else.
 * @throws RuntimeError a dependency would have to appear inside a system directory
 */
export function planMounts(run: RunSpecification, facts: SandboxFacts): MountStep[] {
  return withParents([
    ...facts.entries.map(systemStep),
    ...facts.hidden.map(hidingStep),
    { kind: 'processes', target: '/proc' },
    { kind: 'devices', target: '/dev' },
    { kind: 'memory', target: '/dev/shm', size: run.sharedMemory, mode: '1777' },
    ...facts.kernelDirectories.map(readOnlyDirectory),
    ...(run.network && facts.nameServers !== undefined
      ? [bind(facts.nameServers, facts.nameServers, true, true)]
      : []),
    bind(facts.temporary, '/tmp', false, false),
    bind(facts.temporary, '/var/tmp', false, false),
    bind(run.directory, `/${run.uuid}`, false, false),
    ...run.mounts.map(({ source, target }) => {
      refuseSystemTarget(target, facts);
      return bind(source, target, true, facts.isFile(source));
    }),
  ]);
}

/** Puts a step for each missing directory before the mount that needs it; inside of what is mounted, the tools make their own. */
function withParents(steps: readonly MountStep[]): MountStep[] {
  const there = new Set(['/']);
  const mounted: string[] = [];
  return steps.flatMap((step): MountStep[] => {
    const missing = parentsOf(step.target).filter(
      (path) => !there.has(path) && !mounted.some((target) => isBelow(path, target)),
    );
    for (const path of missing) {
      there.add(path);
    }
    mounted.push(step.target);
    return [...missing.map((target): MountStep => ({ kind: 'directory', target })), step];
  });
}

/** `/a/b/c` → `/a`, `/a/b` */
function parentsOf(path: string): string[] {
  const names = path.split('/').filter(Boolean).slice(0, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}

function systemStep(entry: SystemEntry): MountStep {
  return entry.kind === 'link'
    ? { kind: 'link', target: entry.path, to: entry.to }
    : readOnlyDirectory(entry.path);
}

function hidingStep(hidden: HiddenPath): MountStep {
  return hidden.kind === 'directory'
    ? { kind: 'memory', target: hidden.path, size: 4096, mode: '0555' }
    : bind('/dev/null', hidden.path, true, true);
}

function readOnlyDirectory(path: string): MountStep {
  return bind(path, path, true, false);
}

function bind(source: string, target: string, readOnly: boolean, isFile: boolean): MountStep {
  return { kind: 'bind', source, target, readOnly, isFile };
}

/** Nothing can be added to what the host shares read-only; an image could take it. */
function refuseSystemTarget(target: string, facts: SandboxFacts): void {
  const reserved = [...facts.entries.map(({ path }) => path), '/proc', '/dev', '/sys'];
  const owner = reserved.find((path) => isBelow(target, path));
  if (owner !== undefined) {
    throw new RuntimeError(
      `The dependency ${target} cannot be placed inside ${owner}, which a sandbox shares with its host; ` +
        'use another path, or a worker with container images',
      { userError: true },
    );
  }
}
