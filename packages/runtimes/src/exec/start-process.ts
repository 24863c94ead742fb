/** Starts the process that a session hangs on. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { RuntimeError } from '../port.ts';
import { plainEnvironment } from './terminals.ts';

/**
 * In a process group of its own, with a descriptor (`terminalDescriptor`) beside its three streams.
 * @throws RuntimeError the system lacks a program that is needed
 */
export async function startSessionProcess(words: readonly string[]): Promise<ChildProcessWithoutNullStreams> {
  const [program = '', ...parameters] = words;
  const child = spawn(program, parameters, {
    cwd: '/',
    detached: true,
    env: { ...plainEnvironment, SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  }) as unknown as ChildProcessWithoutNullStreams;
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new RuntimeError(`The command could not be started: ${program} is not installed on the worker`, {
      userError: false,
      cause: error,
    });
  }
  return child;
}
