/** The programs that can make a sandbox. */
import { bubblewrapCommand, type SandboxCall } from './bubblewrap.ts';
import { descriptors } from './supervisor.ts';
import { unshareCommand } from './unshare.ts';

export interface SandboxTool {
  readonly name: 'bubblewrap' | 'unshare';
  /** Name and version. */
  readonly description: string;
  /** The complete command line of a sandbox. */
  command(call: SandboxCall): string[];
}

export function bubblewrapTool(program: string, description: string): SandboxTool {
  const options = { program, infoDescriptor: descriptors.info };
  return { name: 'bubblewrap', description, command: (call) => bubblewrapCommand(call, options) };
}

export function unshareTool(program: string, description: string, asRoot: boolean): SandboxTool {
  const options = { program, infoDescriptor: descriptors.info, asRoot };
  return { name: 'unshare', description, command: (call) => unshareCommand(call, options) };
}
