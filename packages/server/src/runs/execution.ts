/* Everything that makes runs happen, as one thing to start and stop. */
import { mkdir, rm } from 'node:fs/promises';
import { TreeCache } from '@sheaf/trees';
import { DependencyEntries } from '../contents/dependency-entries.ts';
import { LinkedEntries } from '../contents/linked-entries.ts';
import { Sweeper } from '../contents/sweeper.ts';
import { temporaryDirectory } from '../contents/temporary-directory.ts';
import { roomForWorkers } from '../memory.ts';
import type { Services } from '../services.ts';
import { systemClock } from '../system-clock.ts';
import type { CheckinServices } from '../workers/checkin.ts';
import { Contacts } from '../workers/contacts.ts';
import { HeldCheckins } from '../workers/held-checkins.ts';
import { KnownDescriptions } from '../workers/known-descriptions.ts';
import { Liveness } from '../workers/liveness.ts';
import { Mail } from '../workers/mail.ts';
import { Mailboxes } from '../workers/mailboxes.ts';
import { RecentDeliveries } from '../workers/recent-deliveries.ts';
import { StartQuestions } from '../workers/start-questions.ts';
import { WakeUps } from '../workers/wake-ups.ts';
import { Maintenance, maintenancePause } from './maintenance.ts';
import { Maker } from './make.ts';
import { GivenHints } from './prefetch.ts';
import { requestSettings } from './request-settings.ts';
import { Sessions } from './sessions/sessions.ts';
import { Scheduler, type SchedulerCounters } from './scheduler.ts';
import { SharedRuns } from './shared-filesystem/shared-runs.ts';
import { KeptBacklog } from './backlog/kept-backlog.ts';
import { LineRequests } from './line-requests.ts';
import { KnownWorkers } from './known-workers.ts';

export interface Execution {
  /** Decoded trees, shared by all who read contents. */
  readonly trees: TreeCache;
  /** Contents of links, for those who take contents by digest. */
  readonly linked: LinkedEntries;
  /** Answers of workers to questions of this process. */
  readonly mailboxes: Mailboxes;
  readonly wakeUps: WakeUps;
  /** Commands beside those of runs. */
  readonly sessions: Sessions;
  readonly checkins: CheckinServices;
  readonly starts: StartQuestions;
  readonly sweeper: Sweeper;
  readonly counters: Readonly<SchedulerCounters>;
  /** What waits, as the last pass knew it. */
  readonly backlog: KeptBacklog;
  readonly upkeep: Pick<Maintenance, 'passes'>;
  start(): Promise<void>;
  /** Answers held check-ins, and returns when nothing more is written. */
  stop(): Promise<void>;
}

export interface ExecutionOptions {
  /** Between 0 and 1; orders equally good workers. */
  readonly chance?: () => number;
}

export function createExecution(services: Services, options: ExecutionOptions = {}): Execution {
  const temporary = temporaryDirectory(services.settings);
  const trees = new TreeCache(services.store);
  const held = new HeldCheckins(services.events, services.clock, roomForWorkers());
  const wakeUps = new WakeUps(services.events, services.clock);
  const linked = new LinkedEntries(services, trees);
  const sessions = new Sessions(services);
  const maker = new Maker(services, trees, linked);
  const liveness = new Liveness(services.clock, 2 * maintenancePause(services.settings.workerTimeout));
  const descriptions = new KnownDescriptions(services.events, services.clock);
  const sharedRuns = new SharedRuns(services, trees);
  const entries = new DependencyEntries(trees);
  const requests = requestSettings(services.settings);
  const backlog = new KeptBacklog(entries, requests, services.ids.uuid());
  const scheduler = new Scheduler(
    services,
    {
      isSilent: (worker, checkinAt) =>
        liveness.silence(worker, checkinAt, services.clock.now()) >= services.settings.workerTimeout,
      entries,
      laysOut: sharedRuns.possible,
      backlog,
      requests: new LineRequests(requests),
      workers: new KnownWorkers(),
      hints: new GivenHints(),
      fairness: { turnsTaken: new Map() },
      log: services.log,
      chance: options.chance ?? Math.random,
    },
    (uuids) => maker.add(uuids),
    systemClock,
  );
  const maintenance = new Maintenance(services, liveness, (worker) => held.isHeld(worker));
  const sweeper = new Sweeper(services);
  return {
    trees,
    linked,
    mailboxes: new Mailboxes(services.clock),
    wakeUps,
    sessions,
    checkins: {
      services,
      held,
      wakeUps,
      deliveries: new RecentDeliveries(),
      contacts: new Contacts({ services, liveness, descriptions }),
      mail: new Mail(services),
    },
    starts: new StartQuestions(services),
    sweeper,
    counters: scheduler.counters,
    backlog,
    upkeep: maintenance,
    start: async () => {
      // What a crash left there belongs to nobody any more.
      await rm(temporary, { recursive: true, force: true });
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      await maker.restageInterrupted();
      await sharedRuns.start();
      scheduler.start();
      maintenance.start();
      sweeper.start();
    },
    stop: async () => {
      held.stop();
      descriptions.stop();
      wakeUps.stop();
      sessions.stop();
      await Promise.all([scheduler.stop(), maintenance.stop(), sweeper.stop(), sharedRuns.stop()]);
      await maker.stop();
    },
  };
}
