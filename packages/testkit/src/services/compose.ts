/** The program that starts several containers from one file. */
import { requireProgram } from './packages.ts';
import { requirement } from './requirement.ts';

/** Path of `docker-compose`. */
export const requireCompose = requirement<string>(async () => void (await find()), find);

function find(): Promise<string> {
  return requireProgram('docker-compose', 'docker-compose', 'docker-compose');
}
