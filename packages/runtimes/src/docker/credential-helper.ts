/** Logins that `docker login` keeps in another program's keychain: `docker-credential-<name> get` (docker's own protocol). */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

export interface Credentials {
  readonly username: string;
  readonly secret: string;
}

const Answer = z.object({ Username: z.string(), Secret: z.string() });
/** A keychain that asks for a password on a screen nobody sees must not hold up runs. Milliseconds. */
const patience = 10_000;

/** Undefined where the helper has no login for the registry, or cannot be asked: a public image needs none. */
export async function askHelper(helper: string, registry: string): Promise<Credentials | undefined> {
  if (!/^[\w.-]+$/.test(helper)) {
    return undefined;
  }
  const child = spawn(`docker-credential-${helper}`, ['get'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: patience,
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve(code));
  });
  // One that ends without reading breaks the pipe; its exit code says the rest.
  child.stdin.on('error', () => undefined);
  child.stdin.end(registry);
  const [output, code] = await Promise.all([text(child.stdout), ended]);
  if (code !== 0) {
    return undefined;
  }
  const answer = Answer.safeParse(jsonOf(output));
  return answer.success ? { username: answer.data.Username, secret: answer.data.Secret } : undefined;
}

function jsonOf(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    return undefined;
  }
}
