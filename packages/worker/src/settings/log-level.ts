/** How much the worker logs. */
import { StartProblem } from './settings.ts';

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** @param wanted what SHEAF_LOG_LEVEL says; it counts more than `--verbose`. @throws StartProblem where there is no such level */
export function logLevelOf(wanted: string | undefined, verbose: boolean): string {
  if (wanted === undefined || wanted === '') return verbose ? 'debug' : 'info';
  if (levels.includes(wanted)) return wanted;
  throw new StartProblem(`There is no log level "${wanted}": SHEAF_LOG_LEVEL takes ${levels.join(', ')}.`);
}
