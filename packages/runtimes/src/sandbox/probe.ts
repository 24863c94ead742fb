/** Whether a sandbox can be made on this machine: by making one. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { platform } from 'node:process';
import { promisify } from 'node:util';
import { isErrno } from '../files/errno.ts';
import { kernelDirectories, systemEntries } from './layout.ts';
import { planMounts, type SandboxFacts } from './plan.ts';
import { bubblewrapTool, unshareTool, type SandboxTool } from './tools.ts';
import { isRoot, nobody } from './user.ts';

const run = promisify(execFile);

export type ToolAnswer =
  | { readonly available: true; readonly tool: SandboxTool }
  | { readonly available: false; readonly reason: string };

/** Tries bubblewrap, or util-linux where that is not installed or not allowed. */
export async function findBubblewrap(program = 'bwrap'): Promise<ToolAnswer> {
  return probe(program, 'bubblewrap', (description) => bubblewrapTool(program, description));
}

export async function findUnshare(program = 'unshare'): Promise<ToolAnswer> {
  return probe(program, 'util-linux', (description) => unshareTool(program, description, isRoot()));
}

async function probe(
  program: string,
  name: string,
  make: (description: string) => SandboxTool,
): Promise<ToolAnswer> {
  if (platform !== 'linux') {
    return { available: false, reason: 'sandboxes need Linux' };
  }
  try {
    const { stdout } = await run(program, ['--version']);
    const tool = make(`${name} ${/\d[\d.]*/.exec(stdout)?.[0] ?? ''}`.trim());
    await tryOut(tool);
    return { available: true, tool };
  } catch (error) {
    return { available: false, reason: reasonOf(error, program) };
  }
}

/** Makes a sandbox as a run has it, with /tmp in the place of everything that would be the run's own. */
async function tryOut(tool: SandboxTool): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'sheaf-probe-'));
  try {
    await makeSandbox(tool, root);
  } finally {
    await rm(root, { recursive: true });
  }
}

async function makeSandbox(tool: SandboxTool, root: string): Promise<void> {
  const facts: SandboxFacts = {
    entries: systemEntries(),
    hidden: [],
    kernelDirectories: kernelDirectories(),
    nameServers: undefined,
    temporary: '/tmp',
    isFile: () => false,
  };
  const uuid = 'run';
  const steps = planMounts(
    {
      uuid,
      epoch: 0,
      command: '',
      image: null,
      directory: '/tmp',
      mounts: [],
      environment: {},
      cpuset: [],
      gpus: [],
      memory: 0,
      network: false,
      sharedMemory: 0,
    },
    facts,
  );
  const user = isRoot() ? nobody : undefined;
  const [program = '', ...parameters] = tool.command({
    steps,
    network: false,
    root,
    user,
    command: ['/bin/true'],
  });
  // Nobody reads the tool's report on its first process here.
  await run('/bin/sh', ['-c', 'exec "$@" 8>/dev/null', 'probe', program, ...parameters], { timeout: 10_000 });
}

function reasonOf(error: unknown, program: string): string {
  if (isErrno(error, 'ENOENT')) {
    return `${program} is not installed`;
  }
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return said || (error instanceof Error ? error.message : String(error));
}
