/* What the sentences of `waitingReason` mean for whoever may start workers. */

/** What is waited for is the owner's quota: workers of others do not help. */
export function waitsForQuota(reason: string): boolean {
  return /^You(?:r quota allows you no runs| have \d+ runs?) on shared workers/.test(reason);
}

/** The run has failed to start on every worker there is: only another worker helps at once. */
export function hasFailedEverywhere(reason: string): boolean {
  return reason.includes('Every worker that could take the run has failed to execute it');
}
