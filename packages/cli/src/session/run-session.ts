/** A command inside a run, with this program's own streams or terminal as its own. */
import { openSession, type RestClient, type SessionChannel } from '@sheaf/client';
import { proxySettings } from '@sheaf/client/node';
import type { Context } from '../context.ts';
import { loadSessionEngine } from './load-engine.ts';
import { SessionEnd } from './session-end.ts';
import { terminalSize, withRawTerminal } from './terminal.ts';

export interface SessionRequest {
  /** Empty for a shell. */
  readonly command: readonly string[];
  /** Whether this program's terminal becomes the command's. */
  readonly terminal: boolean;
  /** Whether the command reads what this program is given. */
  readonly input: boolean;
}

/**
 * Returns how the command ended. Leaving early, also by Ctrl-C, kills it.
 * @throws SheafError where it cannot be started, ConnectionError where the connection breaks, BrokenPipe
 */
export async function runSession(
  context: Context,
  client: RestClient,
  uuid: string,
  { command, terminal, input }: SessionRequest,
): Promise<number> {
  const { sessionConnector } = await loadSessionEngine();
  const end = new SessionEnd();
  const proxy = proxySettings(context.environment);
  const channel = await openSession(client, uuid, sessionConnector(end, { proxy }));
  const term = context.environment['TERM'] ?? '';
  channel.tell({
    type: 'start',
    command,
    terminal: terminal ? terminalSize() : null,
    ...(/^[\w.+-]{1,64}$/.test(term) ? { term } : {}),
  });
  const carry = async () => {
    if (input) void sendInput(channel);
    else channel.tell({ type: 'end' });
    return await end.code;
  };
  const leave = async () => {
    await channel.close();
  };
  try {
    return await context.interrupts.during(leave, () =>
      terminal ? withRawTerminal((size) => channel.tell({ type: 'resize', ...size }), carry) : carry(),
    );
  } finally {
    await channel.close();
    if (input) process.stdin.destroy();
  }
}

/** As fast as the command reads it. */
async function sendInput(channel: SessionChannel): Promise<void> {
  try {
    for await (const bytes of process.stdin as AsyncIterable<Buffer>) await channel.send('stdin', bytes);
  } catch (error) {
    // Let go of, because the command has ended; what cannot be read has come to its end as well.
    if (!(error instanceof Error)) throw error;
  }
  channel.tell({ type: 'end' });
}
