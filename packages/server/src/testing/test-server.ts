/* The real application on a free port, with a home of its own, for tests of every subject. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createUser as insertUser, type NewUser } from '../accounts/create-user.ts';
import { hashPassword } from '../accounts/password.ts';
import { issueTokens } from '../accounts/tokens.ts';
import { findUserByNameOrEmail, type UserRow } from '../accounts/users.ts';
import { createApp, type App } from '../http/app.ts';
import { openServices } from '../open-services.ts';
import { createExecution, type Execution } from '../runs/execution.ts';
import type { Clock, Services } from '../services.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { createPostgresqlDatabase, postgresqlPrograms } from './postgresql.ts';

export type DatabaseName = 'sqlite' | 'postgresql';

/** For `describe.each`: every test of queries runs on each. */
export const databases: readonly DatabaseName[] =
  postgresqlPrograms() === undefined && process.env['CI'] !== 'true' ? ['sqlite'] : ['sqlite', 'postgresql'];

export interface TestServer {
  url: string;
  home: string;
  app: App;
  services: Services;
  execution: Execution;
  /** Removes the home too, unless it is kept for a server that `reopen`s it. */
  close(options?: { keepHome?: boolean }): Promise<void>;
  /** A bearer token of a user, who is made if there is none of that name; `root` is the administrator. */
  tokenFor(name: string): Promise<string>;
  createUser(user: Partial<NewUser> & { name: string; password?: string }): Promise<UserRow>;
  /** A request with the headers of original clients; `as` is a user name. */
  fetch(
    path: string,
    options?: {
      as?: string;
      method?: string;
      json?: unknown;
      headers?: Record<string, string>;
      body?: string | Uint8Array;
    },
  ): Promise<Response>;
}

export interface TestServerOptions {
  database: DatabaseName;
  clock?: Clock;
  settings?: Partial<Settings>;
  /** Home and database of an earlier server, which was closed and kept its home. */
  reopen?: Settings;
  /** Adds routes of the test's own. */
  extend?: (app: App, services: Services) => void;
}

/** Hashing takes a while by design; tests that do not sign in with a password share this one's hash. */
let sharedHash: Promise<string> | undefined;
export const sharedPassword = 'correct-horse';

async function freshSettings({ database, settings }: TestServerOptions): Promise<Settings> {
  return {
    ...readSettings({
      SHEAF_HOME: await mkdtemp(join(tmpdir(), 'sheaf-server-')),
      SHEAF_PORT: '0',
      SHEAF_LOG_LEVEL: 'silent',
      SHEAF_DATABASE_URL: database === 'postgresql' ? await createPostgresqlDatabase() : undefined,
      CODALAB_USERNAME: 'root',
    }),
    ...settings,
  };
}

export async function startTestServer(options: TestServerOptions): Promise<TestServer> {
  const settings = options.reopen ?? (await freshSettings(options));
  const { home } = settings;
  const log = pino({ level: settings.logLevel });
  const opened = await openServices(settings, {
    log,
    guarded: true,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const { services } = opened;
  const execution = createExecution(services);
  const app = await createApp(services, execution);
  options.extend?.(app, services);
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  await execution.start();
  const tokens = new Map<string, Promise<string>>();

  const createUser: TestServer['createUser'] = async ({ password, ...user }) => {
    sharedHash ??= hashPassword(sharedPassword);
    const passwordHash = password === undefined ? await sharedHash : await hashPassword(password);
    const defaults = { email: `${user.name}@example.org`, isVerified: true, hasAccess: true, passwordHash };
    return await services.unitOfWork((unit) => insertUser(unit, { ...defaults, ...user }, services));
  };
  const makeToken = async (name: string) => {
    const user =
      (await findUserByNameOrEmail(services.database.queries, name)) ?? (await createUser({ name }));
    const given = {
      clientId: 'codalab_cli_client',
      userId: user.id,
      clock: services.clock,
      ids: services.ids,
    };
    return (await services.unitOfWork((unit) => issueTokens(unit, given))).accessToken;
  };
  const tokenFor = (name: string) => {
    const known = tokens.get(name) ?? makeToken(name);
    tokens.set(name, known);
    return known;
  };
  return {
    url: address,
    home,
    app,
    services,
    execution,
    tokenFor,
    createUser,
    fetch: async (path, { as, method, json, headers, body } = {}) => {
      const all = new Headers({ 'x-requested-with': 'XMLHttpRequest', ...headers });
      if (as !== undefined) all.set('authorization', `Bearer ${await tokenFor(as)}`);
      if (json !== undefined) all.set('content-type', 'application/json; charset=utf-8');
      const content = json === undefined ? body : JSON.stringify(json);
      const rest = content === undefined ? {} : { body: content };
      return await fetch(`${address}${path}`, {
        method: method ?? 'GET',
        headers: all,
        redirect: 'manual',
        ...rest,
      });
    },
    close: async ({ keepHome = false } = {}) => {
      // A client may hold a connection open on which it never asked for anything.
      const lastResort = setTimeout(() => app.server.closeAllConnections(), 1000);
      await Promise.all([app.close(), execution.stop()]);
      clearTimeout(lastResort);
      await opened.close();
      if (!keepHome) await rm(home, { recursive: true, force: true });
    },
  };
}
