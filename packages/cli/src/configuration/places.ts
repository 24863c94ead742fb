/** Where the client keeps its own files (cli.md §2.7; docs/decisions/0601-own-home-of-the-client.md). */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Places {
  /** Shown by `cl status` as `codalab_home`. */
  readonly home: string;
  readonly config: string;
  readonly state: string;
  /** Where a Sheaf server on this machine says how to reach it. */
  readonly server: string;
  readonly administrator: string;
}

/**
 * `CODALAB_HOME` if it is set; else `cli` in the home of Sheaf, so that the configuration of another installation, which
 * names another server, does not capture this one.
 */
export function placesOf(environment: Environment): Places {
  const sheaf = resolve(expandHome(environment['SHEAF_HOME'] || '~/.sheaf'));
  const home =
    environment['CODALAB_HOME'] === undefined || environment['CODALAB_HOME'] === ''
      ? join(sheaf, 'cli')
      : resolve(expandHome(environment['CODALAB_HOME']));
  return {
    home,
    config: environment['CODALAB_CONFIG'] || join(home, 'config.json'),
    state: environment['CODALAB_STATE'] || join(home, 'state.json'),
    server: join(sheaf, 'server.json'),
    administrator: join(sheaf, 'administrator.json'),
  };
}

/** `~` and what follows it; without `HOME` the account database is asked. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}
