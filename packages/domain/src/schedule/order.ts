/**
 * Puts staged runs into the order they are served in (execution.md §13.1): everybody keeps the places their runs have in
 * creation order, and fills them by decreasing priority, older runs first among equals. A queue gives no advantage.
 *
 * @param runs in creation order; an unset priority is 0.
 */
export function orderRuns<Run extends { ownerId: string; priority: number }>(runs: readonly Run[]): Run[] {
  const queues = new Map<string, Run[]>();
  for (const run of runs) {
    const queue = queues.get(run.ownerId);
    if (queue === undefined) queues.set(run.ownerId, [run]);
    else queue.push(run);
  }
  // One pass from the end of each queue's reversed order hands the runs back to their owners' places.
  for (const queue of queues.values()) queue.sort((one, other) => other.priority - one.priority).reverse();
  return runs.map((run) => queues.get(run.ownerId)?.pop() ?? run);
}
