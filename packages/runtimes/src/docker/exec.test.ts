/* What a connection that breaks means: the end of the command, or that nothing is known of it any more. */
import { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import type { EngineClient } from '../engine/client.ts';
import { EngineUnreachableError } from '../engine/errors.ts';
import type { ExecSession } from '../port.ts';
import { execInContainer } from './exec.ts';

/** A session that has said "word" when its connection breaks. */
async function broken(
  inspectExec: () => Promise<{ Running: boolean; ExitCode?: number }>,
): Promise<ExecSession> {
  const connection = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const engine: Pick<EngineClient, 'createExec' | 'startExec' | 'inspectExec'> = {
    createExec: () => Promise.resolve('id'),
    startExec: () => Promise.resolve(connection),
    inspectExec,
  };
  const request = { command: ['true'], terminal: null, environment: {} };
  const session = await execInContainer(engine as EngineClient, 'container', request);
  connection.push(Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 4]), Buffer.from('word')]));
  setImmediate(() => connection.destroy(new Error('ECONNRESET')));
  return session;
}

it('is the end of a command that has ended, with what it said', async () => {
  let looks = 0;
  const session = await broken(async () => {
    looks += 1;
    return looks < 3 ? { Running: true } : { Running: false, ExitCode: 3 };
  });

  expect(await text(session.stdout)).toBe('word');
  expect(await text(session.stderr)).toBe('');
  expect(await session.exit).toBe(3);
});

it('is told where the command goes on, or the engine is away', async () => {
  const goesOn = await broken(() => Promise.resolve({ Running: true }));
  const streams = (session: ExecSession) => [text(session.stdout), text(session.stderr)];
  for (const said of streams(goesOn))
    await expect(said).rejects.toThrow('connection to the container engine broke');
  await expect(goesOn.exit).rejects.toThrow('connection to the container engine broke');

  const away = await broken(() => Promise.reject(new EngineUnreachableError('away')));
  for (const said of streams(away)) await expect(said).rejects.toThrow('away');
  await expect(away.exit).rejects.toThrow('away');
});
