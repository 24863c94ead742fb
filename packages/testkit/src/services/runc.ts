/** runc on this machine. */
import { requireProgram } from './packages.ts';
import { requirement } from './requirement.ts';
import { SkipReason } from './skip-reason.ts';

const service = 'runc';

/** Path of the program, for tests of root: no others can use it. */
export const requireRunc = requirement<string>(available, find);

async function available(): Promise<void> {
  await find();
  if (process.getuid?.() !== 0) throw new SkipReason(service, 'only root can use it');
}

function find(): Promise<string> {
  return requireProgram(service, 'runc', 'runc');
}
