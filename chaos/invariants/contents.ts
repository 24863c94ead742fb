/** No result is lost, old, cut off or somebody else's: what is stored is what the inputs make of it. */
import type { Evidence, RunEvidence } from '../evidence/evidence.ts';
import { bulkOf, digestOf } from '../workload.ts';
import { nameOf } from './name-of.ts';

export function checkContents({ runs, store }: Pick<Evidence, 'runs' | 'store'>): string[] {
  return [
    ...runs.flatMap(problemsOf),
    ...store.missing.map((digest) => `The contents of a bundle are not all there: ${digest}`),
    ...store.damaged.map((digest) => `The contents ${digest} are damaged`),
  ];
}

function problemsOf(run: RunEvidence): string[] {
  const { planned, output, bulk, dataSize, storedSize } = run;
  const problems: string[] = [];
  // A run that was ended from outside may never have come so far, or have been ended in the middle of writing.
  const whole = run.state === 'ready' || (run.state === 'failed' && endedByItself(run));
  if (output !== planned.output && (whole || !isBeginning(output, planned.output))) {
    problems.push(
      `${nameOf(run)} holds ${JSON.stringify(output)} instead of ${JSON.stringify(planned.output)}`,
    );
  }
  if (whole && bulk !== digestOf(bulkOf(planned)))
    problems.push(`${nameOf(run)} holds a bulk that is ${bulk ?? 'missing'}`);
  if (dataSize !== storedSize) {
    problems.push(`${nameOf(run)} counts for ${dataSize} bytes, and ${storedSize} are stored`);
  }
  return problems;
}

function endedByItself({ planned: { ending }, failureMessage }: RunEvidence): boolean {
  return ending.kind === 'failed' && failureMessage.includes(ending.message);
}

function isBeginning(output: string | undefined, whole: string): boolean {
  return output === undefined || whole.startsWith(output);
}
