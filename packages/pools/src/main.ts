/** Puts the program together: server, pool, loop. */
import { ConnectionError, memoryTokenStore, RestClient, SignIn, type Credentials } from '@sheaf/client';
import { nodeTransport, proxySettings } from '@sheaf/client/node';
import { SheafError } from '@sheaf/wire';
import type { Clock } from './clock.ts';
import { Manager } from './manager.ts';
import type { OpenedPool } from './open-pool.ts';
import type { WorkerShape } from './scaling/waiting-run.ts';
import type { Settings } from './settings/settings.ts';
import { StartProblem } from './settings/start-problem.ts';
import { openServerView, type ServerView } from './waiting/server-view.ts';

export interface Surroundings {
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Unique, in letters and digits. */
  readonly uniqueId: () => string;
  /** One line for people. */
  readonly say: (text: string) => void;
}

/** Nobody is let in: the name or the password is wrong, or no server of ours answers there. */
export class NotSignedIn extends Error {
  override readonly name = 'NotSignedIn';
}

/**
 * Starts workers as they are needed until the signal fires; with `once`, until it has looked.
 * @throws StartProblem, NotSignedIn, TooManyFailures
 */
export async function manageWorkers(
  settings: Settings,
  opened: OpenedPool,
  credentials: Credentials,
  around: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  const { environment, clock, say, uniqueId } = around;
  const proxy = proxySettings(environment);
  const transport = nodeTransport(proxy === undefined ? {} : { proxy });
  try {
    const server = await firstContact(() => connect(settings, credentials, transport, clock), settings);
    const { pool, idPrefix, mostFailed = null } = opened;
    const manager = new Manager({
      settings,
      pool,
      server,
      shape: shapeOf(settings, opened),
      newWorker: () => ({ id: `${idPrefix}${uniqueId()}`, ...credentials }),
      mostFailed,
      clock,
      say,
    });
    const whose = server.serving.everybody ? 'everybody' : credentials.username;
    say(
      `${settings.minimum} to ${settings.maximum} workers for the runs of ${whose} at ${settings.server}: ${pool.description}.`,
    );
    await manager.run(signal);
  } finally {
    transport.close();
  }
}

function connect(
  settings: Settings,
  credentials: Credentials,
  transport: ReturnType<typeof nodeTransport>,
  clock: Clock,
): Promise<ServerView> {
  const address = settings.server;
  const authentication = new SignIn({
    address,
    transport,
    store: memoryTokenStore(),
    credentials: () => Promise.resolve(credentials),
    now: () => clock.now(),
  });
  const { tag, tagExclusive, group } = settings.worker;
  return openServerView(new RestClient({ address, transport, authentication }), {
    username: credentials.username,
    tag,
    tagExclusive,
    group,
    search: settings.search,
  });
}

async function firstContact(contact: () => Promise<ServerView>, { server }: Settings): Promise<ServerView> {
  try {
    return await contact();
  } catch (error) {
    if (error instanceof SyntaxError) throw new NotSignedIn(notAServer(server), { cause: error });
    if (error instanceof ConnectionError) {
      throw new StartProblem(`${error.message} Is the server running, and is --server right?`, {
        cause: error,
      });
    }
    if (error instanceof SheafError && error.code === 'not-authenticated') {
      throw new NotSignedIn(`${server} does not accept this user name and password.`, { cause: error });
    }
    if (error instanceof SheafError && error.code === 'not-found') {
      throw new NotSignedIn(notAServer(server), { cause: error });
    }
    throw error;
  }
}

function notAServer(server: string): string {
  return `${server} does not answer as a Sheaf or CodaLab server: check --server.`;
}

function shapeOf({ worker, prefilter }: Settings, { size }: OpenedPool): WorkerShape {
  return {
    ...(prefilter ? size : { cpus: Infinity, gpus: Infinity, memory: Infinity }),
    disk: Infinity,
    tag: worker.tag,
    tagExclusive: worker.tagExclusive,
    images: true,
    runs: worker.exitAfterRuns ?? Infinity,
  };
}
