/* Users of an installation besides its administrator: their accounts, and `cl` as each of them calls it. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from './installation.ts';
import { root, run, type Finished, type RunOptions } from './programs.ts';

export interface Account {
  readonly id: string;
  readonly disk_used: number;
  readonly time_used: number;
}

const json = (value: unknown) => JSON.stringify(value);

export class Person {
  readonly name: string;
  readonly id: string;
  /** Name and password, as workers read them. */
  readonly credentials: string;
  readonly #home: string;
  readonly #password: string;

  private constructor(installation: Installation, name: string, id: string, password: string) {
    this.name = name;
    this.id = id;
    this.#password = password;
    this.#home = join(installation.home, 'people', name);
    mkdirSync(this.#home, { recursive: true });
    copyFileSync(join(installation.home, 'server.json'), join(this.#home, 'server.json'));
    this.credentials = join(this.#home, 'credentials.json');
    writeFileSync(this.credentials, json({ username: name, password }), { mode: 0o600 });
  }

  /** @param account what differs from the account of a new user, such as `disk_quota` in bytes */
  static async join(
    installation: Installation,
    name: string,
    account: Record<string, unknown> = {},
  ): Promise<Person> {
    const password = `secret of ${name}`;
    const attributes = { user_name: name, email: `${name}@example.org`, password, ...account };
    const { data } = await installation.api<{ data: { id: string }[] }>('POST', '/users', {
      data: [{ type: 'users', attributes }],
    });
    return new Person(installation, name, data[0]?.id ?? '', password);
  }

  cl(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run(process.execPath, [join(root, 'bin/cl'), ...words], {
      ...options,
      env: {
        SHEAF_HOME: this.#home,
        CODALAB_SESSION: 'test',
        CODALAB_USERNAME: this.name,
        CODALAB_PASSWORD: this.#password,
        ...options.env,
      },
    });
  }

  /** Standard output of a command that must succeed, without the final newline. */
  async ok(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cl(words);
    if (code !== 0) throw new Error(`cl ${words.join(' ')} ended with ${code}:\n${stderr}${stdout}`);
    return stdout.trimEnd();
  }
}

/** The account as the administrator sees it. */
export async function accountOf(installation: Installation, id: string): Promise<Account> {
  const { data } = await installation.api<{ data: { attributes: Account } }>('GET', `/users/${id}`);
  return data.attributes;
}

/** Changes quotas: `time_quota` in seconds, `disk_quota` in bytes, `parallel_run_quota`. */
export async function setQuota(
  installation: Installation,
  id: string,
  quota: Record<string, number>,
): Promise<void> {
  await installation.api('PATCH', '/users', { data: [{ type: 'users', id, attributes: quota }] });
}

/** Makes a group, with these members besides its founder. Not by the administrator: a group of theirs is a group of everybody. */
export async function makeGroup(
  installation: Installation,
  name: string,
  founder: Person,
  members: readonly Person[],
): Promise<void> {
  const token = await installation.tokenOf(founder.credentials);
  const ask = (path: string, data: readonly unknown[]) => installation.api('POST', path, { data }, token);
  await ask('/groups', [{ type: 'user-groups', attributes: { name } }]);
  const users = members.map(({ id }) => ({ type: 'users', id }));
  await ask(`/groups/${name}/relationships/members`, users);
}
