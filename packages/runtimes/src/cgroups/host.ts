/** Where on this host control groups for runs can be made, found out once by trying. */
import { readFileSync, writeFileSync } from 'node:fs';
import { access, constants, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { groupRoot, parseMembership } from './membership.ts';

/** A place below which groups can be made, by the generation of the kernel's interface. */
export type GroupHost =
  | { readonly version: 2; readonly base: string }
  /** Controller → directory. */
  | { readonly version: 1; readonly bases: Readonly<Record<Version1Controller, string>> };

export type Version1Controller = (typeof version1Controllers)[number];
export const version1Controllers = ['memory', 'cpuacct', 'cpuset', 'pids'] as const;

export type GroupHostAnswer =
  | { readonly available: true; readonly host: GroupHost }
  | { readonly available: false; readonly reason: string };

const baseName = 'sheaf';

/** Answers where groups with a memory controller can be made, or why nowhere. */
export async function findGroupHost(root: string = groupRoot): Promise<GroupHostAnswer> {
  try {
    const host = (await isUnified(root)) ? await findVersion2(root) : await prepareVersion1(root);
    return { available: true, host };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function isUnified(root: string): Promise<boolean> {
  try {
    await access(join(root, 'cgroup.controllers'));
    return true;
  } catch {
    return false;
  }
}

/**
 * Tries our own group and its ancestors: root may use the topmost, an ordinary user whatever systemd handed to the session.
 * A group with processes of its own cannot hand controllers on, so that our own is rarely the one.
 */
async function findVersion2(root: string): Promise<GroupHost> {
  const own = parseMembership(await readFile('/proc/self/cgroup', 'utf8')).get('') ?? '/';
  const reasons: string[] = [];
  for (const parent of ancestors(root, own)) {
    try {
      return { version: 2, base: await prepareVersion2(parent) };
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`no control group can be made for runs (${reasons.at(-1) ?? 'none is ours'})`);
}

/** Topmost first. */
function ancestors(root: string, path: string): string[] {
  const result: string[] = [];
  for (let current = path; current !== '/' && current !== '.'; current = dirname(current)) {
    result.unshift(join(root, current));
  }
  return [root, ...result];
}

async function prepareVersion2(parent: string): Promise<string> {
  // Moving a process needs this right on the nearest common ancestor.
  await access(join(parent, 'cgroup.procs'), constants.W_OK);
  const base = join(parent, baseName);
  await mkdir(base, { recursive: true });
  try {
    await enableControllers(parent);
    await enableControllers(base);
    const enabled = (await readFile(join(base, 'cgroup.subtree_control'), 'utf8')).trim().split(' ');
    if (!enabled.includes('memory')) {
      throw new Error(`the memory controller is not available in ${parent}`);
    }
    return base;
  } catch (error) {
    await rmdir(base);
    throw error;
  }
}

async function enableControllers(directory: string): Promise<void> {
  const available = (await readFile(join(directory, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const enabled = (await readFile(join(directory, 'cgroup.subtree_control'), 'utf8')).trim().split(' ');
  for (const controller of ['memory', 'cpuset', 'pids']) {
    if (available.includes(controller) && !enabled.includes(controller)) {
      await writeFile(join(directory, 'cgroup.subtree_control'), `+${controller}`);
    }
  }
}

async function prepareVersion1(root: string): Promise<GroupHost> {
  const entries: [string, string][] = [];
  for (const controller of version1Controllers) {
    const base = join(root, controller, baseName);
    await access(join(root, controller, 'cgroup.procs'), constants.W_OK);
    await mkdir(base, { recursive: true });
    entries.push([controller, base]);
  }
  const bases = Object.fromEntries(entries) as Record<Version1Controller, string>;
  inheritCpuset(bases.cpuset);
  return { version: 1, bases };
}

/** A new cpuset group of version 1 is empty: nothing can run in it until it has processors and memory nodes. */
export function inheritCpuset(directory: string): void {
  for (const file of ['cpuset.mems', 'cpuset.cpus']) {
    const own = readFileSync(join(directory, file), 'utf8').trim();
    if (own === '') {
      writeFileSync(join(directory, file), readFileSync(join(dirname(directory), file), 'utf8').trim());
    }
  }
}
