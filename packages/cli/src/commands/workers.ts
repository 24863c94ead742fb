import { workersInfo } from '@sheaf/client';
import { formatDuration, formatSize, pythonText } from '@sheaf/domain';
import type { WorkerInfo } from '@sheaf/wire';
import type { Command } from '../command.ts';
import { renderTable } from '../render/table.ts';

const columns = [
  'worker_id',
  'cpus',
  'gpus',
  'memory',
  'free_disk',
  'last_checkin',
  'group',
  'tag',
  'runs',
  'shared_file_system',
  'tag_exclusive',
  'exit_after_num_runs',
  'is_terminating',
  'runtime',
];

export const command: Command = {
  description: "List the workers that are yours or your groups', what they have and how they execute runs.",
  positionals: [],
  flags: [
    {
      long: '--verbose',
      short: '-v',
      kind: 'switch',
      help: 'Also say how each worker executes runs, and how many.',
    },
    { long: '--json', kind: 'switch', help: 'Print the workers as JSON.' },
  ],
  async run(given, context) {
    const workers = await workersInfo(context.client());
    workers.sort((one, other) => (one.worker_id < other.worker_id ? -1 : 1));
    if (given.has('--json')) {
      context.print(JSON.stringify(workers, undefined, 2));
      return;
    }
    const now = Date.now() / 1000;
    for (const line of renderTable(
      columns,
      workers.map((worker) => rowOf(worker, now)),
    ))
      context.print(line);
    if (!given.has('--verbose')) return;
    for (const worker of workers) context.print(`${worker.worker_id}: ${factsOf(worker).join('; ')}`);
  },
};

function factsOf({
  runtime,
  slots,
  preemptible,
  is_terminating: ending,
  run_uuids: uuids,
}: WorkerInfo): string[] {
  const runs = uuids.length;
  return [
    runtime?.description ?? 'does not say how it executes runs',
    ...(typeof slots === 'number' ? [`at most ${slots} ${slots === 1 ? 'run' : 'runs'} at once`] : []),
    ...(preemptible ? ['may be taken away at any time'] : []),
    ...(ending ? [`takes no more runs and ends${runs > 0 ? ' after those it has' : ''}`] : []),
  ];
}

/** Scripts split rows at blanks: none of the first five cells may be empty or hold one. */
function rowOf(worker: WorkerInfo, now: number): string[] {
  return [
    worker.worker_id,
    `${worker.cpus_in_use}/${worker.cpus}`,
    `${worker.gpus_in_use}/${worker.gpus}`,
    formatSize(worker.memory_bytes),
    worker.free_disk_bytes === null ? '-' : formatSize(worker.free_disk_bytes),
    `${formatDuration(Math.max(0, now - worker.checkin_time))} ago`,
    worker.group_uuid ?? '',
    worker.tag ?? '',
    worker.run_uuids.map((uuid) => uuid.slice(0, 8)).join(','),
    ...[
      worker.shared_file_system,
      worker.tag_exclusive,
      worker.exit_after_num_runs,
      worker.is_terminating,
    ].map(pythonText),
    worker.runtime?.name ?? '',
  ];
}
