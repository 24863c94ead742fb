/** Asks the server, which may be away: everything here may be said twice. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BundleAttributes, Resource } from '@sheaf/wire';
import type { Site } from './site.ts';

export interface BundleEvent {
  readonly at: string;
  readonly kind: string;
  readonly details: { readonly text?: string };
}

export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Longer than any fault lasts. */
const patience = 60_000;

export class Rest {
  readonly #site: Site;
  #token: string | undefined;

  constructor(site: Site) {
    this.#site = site;
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

  async bundle(uuid: string): Promise<BundleAttributes> {
    const { data } = await this.ask<{ data: Resource<BundleAttributes> }>('GET', `/bundles/${uuid}`);
    return data.attributes;
  }

  async events(uuid: string): Promise<BundleEvent[]> {
    const { data } = await this.ask<{ data: { attributes: BundleEvent }[] }>(
      'GET',
      `/bundles/${uuid}/events`,
    );
    return data.map(({ attributes }) => attributes);
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
    const answer = await fetch(`${this.#site.url}/rest${path}`, {
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
    const file = readFileSync(join(this.#site.home, 'administrator.json'), 'utf8');
    const { username, password } = JSON.parse(file) as { username: string; password: string };
    const answer = await fetch(`${this.#site.url}/rest/oauth2/token`, {
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
