/** Who commands run as. */

export interface SandboxUser {
  readonly uid: number;
  readonly gid: number;
}

export const nobody: SandboxUser = { uid: 65_534, gid: 65_534 };

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}
