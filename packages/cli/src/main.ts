/** The `cl` program: finds the command, loads it, runs it, and turns what happens into an exit code (cli.md §2). */
import { dispatch } from './dispatch.ts';
import { listenForInterrupts } from './interrupts.ts';
import { BrokenPipe, outputTo } from './output.ts';

const diagnostics = outputTo(2);
const interrupts = listenForInterrupts(() => {
  diagnostics.write('\nTerminated by Ctrl-C\n');
  process.exit(130);
});

const options = { environment: process.env, output: outputTo(1), diagnostics, interrupts };
dispatch(process.argv.slice(2), options).then(
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    if (error instanceof BrokenPipe) process.exit(141);
    throw error;
  },
);
