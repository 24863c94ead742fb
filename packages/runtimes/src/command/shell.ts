/** How a user's command is put to a shell, and how the shell's own words are read (execution §20.1, §21.3). */

import { RuntimeError } from '../port.ts';

/** Linux takes so many bytes for one word of a command line, the zero at its end included. */
const longestWord = 131_072;

/**
 * The script of a run: the command as given, its output in the files `stdout` and `stderr` of the run directory.
 * The closing parenthesis stands on its own line: a comment or a here-document may end the command. The command begins
 * on the first line, so that the line numbers of the shell's complaints are those of the command.
 * @throws RuntimeError the command is longer than the system takes
 */
export function runScript(command: string): string {
  const script = `( ${command}\n) >stdout 2>stderr`;
  if (Buffer.byteLength(script) >= longestWord) {
    throw new RuntimeError('The command is too long: put it into a file of a bundle, and run that', {
      userError: true,
    });
  }
  return script;
}

const longestMessage = 4096;

/**
 * What the shell said outside of the command's own files, as the text of a failure. Null: nothing worth telling, which
 * includes warnings of a run that succeeded and the note that a signal ended the command (the exit code says so).
 */
export function shellMessage(exitCode: number | null, log: string): string | null {
  if (exitCode === 0 || (exitCode !== null && exitCode > 128)) {
    return null;
  }
  // eslint-disable-next-line no-control-regex
  const cleaned = log.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '').trim();
  return cleaned === '' ? null : cleaned.slice(-longestMessage);
}
