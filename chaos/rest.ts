/** Asks the server in somebody's name. The server may be away, and the line may be bad: everything here may be said twice. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Person {
  readonly username: string;
  readonly password: string;
}

export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Milliseconds: longer than any fault lasts, and several in a row. */
const patience = 180_000;

export class Rest {
  readonly #url: string;
  readonly #person: () => Person;
  #token: string | undefined;

  /** @param person asked for when it is time to sign in */
  constructor(url: string, person: () => Person) {
    this.#url = url;
    this.#person = person;
  }

  /** @throws Refused where the server understood and said no, Error where it did not answer for long */
  async ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const deadline = performance.now() + patience;
    for (;;) {
      try {
        return await this.#ask<Answer>(method, path, body);
      } catch (error) {
        if (error instanceof Refused && error.status < 500 && error.status !== 401) throw error;
        if (error instanceof Refused && error.status === 401) this.#token = undefined;
        if (performance.now() > deadline) throw error;
        await sleep(250);
      }
    }
  }

  /** A file of a bundle; undefined where there is none. */
  async file(uuid: string, path: string): Promise<string | undefined> {
    try {
      return await this.ask<string>('GET', `/bundles/${uuid}/contents/blob/${path}`);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return undefined;
      throw error;
    }
  }

  async #ask<Answer>(method: string, path: string, body: unknown): Promise<Answer> {
    this.#token ??= await this.#signIn();
    const answer = await fetch(`${this.#url}/rest${path}`, {
      method,
      signal: AbortSignal.timeout(10_000),
      headers: {
        authorization: `Bearer ${this.#token}`,
        'x-requested-with': 'XMLHttpRequest',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Refused(answer.status, `${method} ${path}: ${answer.status} ${text}`);
    const isJson = answer.headers.get('content-type') === 'application/json';
    return (isJson ? JSON.parse(text) : text) as Answer;
  }

  async #signIn(): Promise<string> {
    const { username, password } = this.#person();
    const answer = await fetch(`${this.#url}/rest/oauth2/token`, {
      method: 'POST',
      signal: AbortSignal.timeout(10_000),
      headers: {
        authorization: 'Basic Y29kYWxhYl9jbGlfY2xpZW50Og==',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ grant_type: 'password', username, password }).toString(),
    });
    if (!answer.ok) throw new Refused(answer.status, await answer.text());
    const { access_token: token } = (await answer.json()) as { access_token: string };
    return token;
  }
}
