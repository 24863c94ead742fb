/** Tokens for one address: kept, renewed early, and asked for anew when nothing else helps (cli.md §2.11). */
import { SheafError } from '@sheaf/wire';
import type { Authentication } from './authentication.ts';
import { failureOf } from './failure.ts';
import type { SignedIn, TokenInfo, TokenStore } from './token-store.ts';
import type { Transport } from './transport.ts';

/** Seconds a token must still be good for; far more than a request takes, so that none expires on the way. */
const margin = 600;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface SignInOptions {
  readonly address: string;
  readonly transport: Transport;
  readonly store: TokenStore;
  /** `codalab_cli_client` unless told. */
  readonly clientId?: string;
  readonly extraHeaders?: Readonly<Record<string, string>>;
  /** Asked when there is no usable token; undefined means: go on without signing in. */
  readonly credentials: () => Promise<Credentials | undefined>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface TokenAnswer {
  access_token: string;
  expires_in: number;
  refresh_token?: string;
  token_type?: string;
  scope?: string;
}

/** Tokens by the password grant, renewed by the refresh grant; requests made at the same time share one sign-in. */
export class SignIn implements Authentication {
  readonly #options: SignInOptions;
  #running: Promise<string | undefined> | undefined;

  constructor(options: SignInOptions) {
    this.#options = options;
  }

  token(): Promise<string | undefined> {
    return this.#once(async () => {
      const known = await this.#known();
      if (known === undefined) return this.#withPassword();
      return this.#isFresh(known) ? known.token_info.access_token : this.#refreshOrPassword(known);
    });
  }

  renew(refused: string): Promise<string | undefined> {
    return this.#once(async () => {
      const known = await this.#known();
      if (known === undefined) return this.#withPassword();
      // Another process, or another request of this one, has already got a new token.
      if (known.token_info.access_token !== refused && this.#isFresh(known))
        return known.token_info.access_token;
      return this.#refreshOrPassword(known);
    });
  }

  #once(work: () => Promise<string | undefined>): Promise<string | undefined> {
    this.#running ??= work().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  #known(): Promise<SignedIn | undefined> {
    return this.#options.store.read(this.#options.address);
  }

  #isFresh(known: SignedIn): boolean {
    return known.token_info.expires_at >= this.#options.now() / 1000 + margin;
  }

  async #refreshOrPassword(known: SignedIn): Promise<string | undefined> {
    const refresh = known.token_info.refresh_token;
    if (refresh !== undefined) {
      const answer = await this.#grant({ grant_type: 'refresh_token', refresh_token: refresh });
      if (answer !== undefined) return this.#keep(answer, known.username);
    }
    await this.#options.store.remove(this.#options.address);
    return this.#withPassword();
  }

  async #withPassword(): Promise<string | undefined> {
    const credentials = await this.#options.credentials();
    if (credentials === undefined) return undefined;
    const { username, password } = credentials;
    const answer = await this.#grant({ grant_type: 'password', username, password });
    if (answer === undefined) {
      throw new SheafError('not-authenticated', 'Invalid username or password.', {
        next: `That was "${username}" at ${this.#options.address}. Run the command again, or look at the address with \`cl status\`.`,
      });
    }
    return this.#keep(answer, username);
  }

  async #keep(answer: TokenAnswer, username: string): Promise<string> {
    const token: TokenInfo = {
      access_token: answer.access_token,
      expires_at: this.#options.now() / 1000 + answer.expires_in,
      token_type: answer.token_type ?? 'Bearer',
      scope: answer.scope ?? 'default',
      ...(answer.refresh_token === undefined ? {} : { refresh_token: answer.refresh_token }),
    };
    await this.#options.store.write(this.#options.address, { token_info: token, username });
    return token.access_token;
  }

  /** Undefined means: what was presented is not accepted. */
  async #grant(form: Readonly<Record<string, string>>): Promise<TokenAnswer | undefined> {
    const { address, transport, clientId = 'codalab_cli_client', extraHeaders } = this.#options;
    const body = Object.entries(form)
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join('&');
    const response = await transport.send({
      method: 'POST',
      url: `${address}/rest/oauth2/token`,
      headers: {
        'x-requested-with': 'XMLHttpRequest',
        ...extraHeaders,
        authorization: `Basic ${btoa(`${clientId}:`)}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body,
      whole: true,
      idleTimeout: 60_000,
    });
    const text = await response.text();
    if (response.status === 401) return undefined;
    if (response.status === 404) {
      throw new SheafError('not-found', `${address} does not answer as a Sheaf or CodaLab server.`, {
        next: 'Check the address: no slash at the end, and nothing of the path below it.',
      });
    }
    if (response.status >= 400) throw failureOf(response.status, response.headers, describe(text));
    return JSON.parse(text) as TokenAnswer;
  }
}

/** The token endpoint reports errors as JSON; the sentence in it is what a person can use. */
function describe(text: string): string {
  try {
    const { error_description: sentence } = JSON.parse(text) as { error_description?: unknown };
    return typeof sentence === 'string' ? sentence : text;
  } catch {
    return text;
  }
}
