import { expect, test } from 'vitest';
import { sessionName } from './session-name.ts';

/** Processes from the parent of `cl` upwards, numbered 100, 99, … */
function above(...programs: (string | undefined)[]) {
  return (pid: number) => {
    const program = programs[100 - pid];
    return program === undefined ? undefined : { pid, parent: pid - 1, program };
  };
}

test.each([
  [['-bash', 'sshd'], '100'],
  [['/bin/sh', 'python3.9', '/usr/bin/zsh', 'tmux'], '98'],
  [['make', 'bash'], 'top'],
  [['fish'], 'top'],
  [['node', 'bash'], 'top'],
  [['bash.exe', 'cmd.exe', 'explorer'], '99'],
  [[], 'top'],
  [['bash', undefined, 'bash'], '100'],
  [['ruby', 'powershell', 'csh', 'tcsh', 'init'], '97'],
])('under %j the session is %s', (programs, name) => {
  expect(sessionName(100, above(...programs))).toBe(name);
});

test('not more than ten steps are taken', () => {
  expect(sessionName(100, above(...Array.from({ length: 30 }, () => 'sh')))).toBe('91');
});
