/** What a registry wants to see before it answers: a name and a password, or a token that another place gives out for them. */
import { z } from 'zod';
import type { RegistryLogin } from '../docker/registry-login.ts';

const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

export interface Asker {
  readonly login: RegistryLogin | undefined;
  /** Whether the registry may be spoken to without TLS. */
  readonly plain: boolean;
  readonly signal: AbortSignal;
}

/**
 * Headers that answer a `www-authenticate`; none where there is nothing to say.
 * @throws TypeError nobody answers
 */
export async function answerChallenge(challenge: string, asker: Asker): Promise<Record<string, string>> {
  const { login, plain, signal } = asker;
  const basic: Record<string, string> = login?.username
    ? {
        authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`,
      }
    : {};
  if (!/^bearer /i.test(challenge)) {
    return basic;
  }
  const { realm, service, scope } = parametersOf(challenge);
  if (realm === undefined || !URL.canParse(realm)) {
    return {};
  }
  const url = new URL(realm);
  if (url.protocol !== 'https:' && !plain) {
    return {};
  }
  const question = Object.entries({ service, scope }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const answer = await fetch(...tokenRequest(url, question, login, basic, signal));
  const token = tokenOf(answer.ok ? await answer.json() : await dropped(answer));
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function tokenRequest(
  url: URL,
  question: readonly (readonly [string, string])[],
  login: RegistryLogin | undefined,
  basic: Record<string, string>,
  signal: AbortSignal,
): [URL, RequestInit] {
  if (login?.identitytoken !== undefined) {
    // What `docker login` was given in the place of a password is exchanged, as OAuth has it.
    const body = new URLSearchParams([
      ...question.map(([name, value]): [string, string] => [name, value]),
      ['grant_type', 'refresh_token'],
      ['client_id', 'sheaf'],
      ['refresh_token', login.identitytoken],
    ]);
    // A redirection would take the body along, wherever it leads.
    return [url, { method: 'POST', body, signal, redirect: 'manual' }];
  }
  for (const [name, value] of question) {
    url.searchParams.set(name, value);
  }
  return [url, { headers: basic, signal }];
}

async function dropped(response: Response): Promise<undefined> {
  await response.body?.cancel();
}

function tokenOf(answer: unknown): string | undefined {
  const parsed = Token.safeParse(answer);
  return parsed.success ? (parsed.data.token ?? parsed.data.access_token) : undefined;
}

function parametersOf(challenge: string): Readonly<Record<string, string | undefined>> {
  const found = [...challenge.matchAll(/(\w+)="([^"]*)"/g)];
  return Object.fromEntries(found.map(([, name, value]) => [name, value]));
}
