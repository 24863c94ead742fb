/** A real Slurm cluster of one machine: its controller, its one node, and the munge daemon that both trust. */
import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, hostname, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { runProcess, startProcess, type StartedProcess } from '../processes.ts';
import { endMarkedProcesses, isAlive } from './marked-processes.ts';
import { requireProgram } from './packages.ts';
import { requirement } from './requirement.ts';
import { SkipReason } from './skip-reason.ts';

export interface Slurm {
  /** By which its programs (`sbatch`, `squeue`, …) find this cluster. */
  readonly environment: Readonly<Record<string, string>>;
  /** Hands in a job of one processor; answers its number. */
  submit(command: string): Promise<string>;
  /** Name of its only partition. */
  readonly partition: string;
  /** Calls one of Slurm's programs and answers its output. */
  call(program: string, ...words: string[]): Promise<string>;
  /** `down`: its jobs are taken from the node, and those that wait go on waiting. */
  setNode(state: 'down' | 'resume'): Promise<void>;
  stopController(): Promise<void>;
  startController(): Promise<void>;
  /** Waits until none of these jobs waits or runs any more. */
  finish(...jobs: readonly string[]): Promise<void>;
  /** Ends the cluster, its jobs with it, and removes its files. */
  stop(): Promise<void>;
}

const service = 'Slurm';
const partition = 'main';

async function available(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new SkipReason(service, 'its node has to be root to run jobs');
  }
  await requireProgram(service, 'munged', 'munge');
  await requireProgram(service, 'slurmctld', 'slurm-wlm');
}

/** A cluster that nobody else uses; several may be there at once. */
export const requireSlurm = requirement<Slurm>(available, startSlurm);

const directoryPrefix = 'sheaf-slurm-';
const configurationFile = 'slurm.conf';
/** File with the process that a cluster belongs to. */
const ownerFile = 'owner';

async function startSlurm(): Promise<Slurm> {
  await removeLeftClusters();
  const directory = await mkdtemp(join(tmpdir(), directoryPrefix));
  await writeFile(join(directory, ownerFile), String(process.pid));
  // Jobs of every user ask munge who they are.
  await chmod(directory, 0o755);
  const configuration = join(directory, configurationFile);
  const environment = { SLURM_CONF: configuration };
  const env = { ...process.env, ...environment };
  const daemons: StartedProcess[] = [];
  const program = (name: string) => requireProgram(service, name, 'slurm-wlm');
  const call = async (name: string, ...words: string[]) => runProcess(await program(name), words, { env });
  const stop = async (): Promise<void> => {
    for (const daemon of daemons.toReversed()) await daemon.stop();
    endJobs(directory);
    process.off('exit', endWithTestRun);
    await rm(directory, { recursive: true, force: true });
  };
  const endWithTestRun = () => endJobs(directory);
  process.once('exit', endWithTestRun);
  let controller: StartedProcess | undefined;
  const startController = async (): Promise<void> => {
    controller = startProcess(await program('slurmctld'), ['-D', '-i'], { env });
    daemons.push(controller);
    const answers = async () => / is UP/.test(await call('scontrol', 'ping').catch(() => ''));
    await eventually('an answer of slurmctld', async () => (await answers()) || undefined);
  };
  try {
    daemons.push(await startMunge(directory));
    await writeFile(configuration, configurationText(directory, await freePorts(2)));
    await startController();
    daemons.push(startProcess(await program('slurmd'), ['-D'], { env }));
    await eventually('a node of Slurm that takes jobs', async () => {
      const failed = daemons.find((daemon) => daemon.output.includes('fatal'));
      if (failed !== undefined) throw new Error(failed.output);
      const states = await call('sinfo', '--noheader', '--format=%T').catch(() => '');
      return states.trim() === 'idle' ? true : undefined;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    environment,
    partition,
    call,
    async submit(command) {
      const output = ['--output=/dev/null', '--error=/dev/null', '--chdir=/'];
      return (await call('sbatch', '--parsable', ...output, `--wrap=${command}`)).trim();
    },
    async finish(...jobs) {
      const wanted = new Set(jobs);
      await eventually(
        'the end of all jobs',
        async () => {
          const left = await call('squeue', '--noheader', '--format=%i', '--states=PENDING,RUNNING');
          return left.split('\n').some((job) => wanted.has(job)) ? undefined : true;
        },
        600_000,
      );
    },
    async setNode(state) {
      const why = state === 'down' ? ['reason=test'] : [];
      await call('scontrol', 'update', `nodename=${hostname()}`, `state=${state}`, ...why);
    },
    startController,
    stopController: async () => void (await controller?.stop()),
    stop,
  };
}

/** Slurm leaves jobs running when its daemons end: they could come back. */
function endJobs(directory: string): void {
  endMarkedProcesses('SLURM_CONF', join(directory, configurationFile));
}

/** Of test runs that were killed. */
async function removeLeftClusters(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(directoryPrefix)) continue;
    const directory = join(tmpdir(), name);
    const owner = await readFile(join(directory, ownerFile), 'utf8').catch(() => '');
    if (owner === '' || isAlive(Number(owner))) continue;
    endJobs(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

async function startMunge(directory: string): Promise<StartedProcess> {
  const own = join(directory, 'munge');
  await mkdir(own, { mode: 0o755 });
  const key = join(own, 'key');
  await writeFile(key, randomBytes(128), { mode: 0o400 });
  const files = { socket: 'socket', 'pid-file': 'pid', 'log-file': 'log', 'seed-file': 'seed' };
  const daemon = startProcess(await requireProgram(service, 'munged', 'munge'), [
    '--foreground',
    `--key-file=${key}`,
    ...Object.entries(files).map(([flag, name]) => `--${flag}=${join(own, name)}`),
  ]);
  await eventually('an answer of munge', () =>
    runProcess('munge', [`--socket=${join(own, 'socket')}`, '--no-input']).catch(() => undefined),
  );
  return daemon;
}

/** Processes are found by their parents: control groups may belong to others on this machine. */
function configurationText(directory: string, [controller, node]: readonly number[]): string {
  const cpus = availableParallelism();
  const memory = Math.floor((totalmem() / 1024 ** 2) * 0.9);
  const settings = {
    ClusterName: 'test',
    SlurmctldHost: `${hostname()}(127.0.0.1)`,
    SlurmctldPort: controller,
    SlurmdPort: node,
    SlurmUser: 'root',
    AuthType: 'auth/munge',
    AuthInfo: `socket=${join(directory, 'munge/socket')}`,
    CryptoType: 'crypto/munge',
    StateSaveLocation: join(directory, 'state'),
    SlurmdSpoolDir: join(directory, 'spool'),
    SlurmctldPidFile: join(directory, 'slurmctld.pid'),
    SlurmdPidFile: join(directory, 'slurmd.pid'),
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/affinity',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU_Memory',
    DefMemPerCPU: 100,
    // Looks for work as often as it can.
    SchedulerParameters: 'sched_interval=1,bf_interval=1',
    MessageTimeout: 5,
    KillWait: 10,
    // A node that was set down stays down, also when its daemon registers again.
    ReturnToService: 1,
    MpiDefault: 'none',
    MailProg: '/bin/true',
  };
  return [
    ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    `NodeName=${hostname()} NodeAddr=127.0.0.1 CPUs=${cpus} RealMemory=${memory} State=UNKNOWN`,
    `PartitionName=${partition} Nodes=ALL Default=YES MaxTime=INFINITE State=UP`,
    '',
  ].join('\n');
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  return ports;
}
