/** Unpacks bzip2: with the `bzip2` program where there is one, because it is several times as fast, else without it. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { InvalidArchiveError } from '../../errors.ts';
import { decodeBzip2 } from './decode.ts';

/** @throws InvalidArchiveError where the stream is no bzip2, damaged or cut short; errors of the source as they are */
export async function* bunzip2(
  source: AsyncIterable<Uint8Array>,
  program = 'bzip2',
): AsyncGenerator<Uint8Array, undefined> {
  const child = await start(program);
  if (child === undefined) yield* decodeBzip2(source);
  else yield* throughProgram(source, child);
  return undefined;
}

type Program = ChildProcessByStdio<Writable, Readable, Readable>;

async function start(program: string): Promise<Program | undefined> {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  try {
    await once(child, 'spawn');
    return child;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function* throughProgram(
  source: AsyncIterable<Uint8Array>,
  child: Program,
): AsyncGenerator<Uint8Array, undefined> {
  const closed = once(child, 'close');
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 500);
  });
  const feeding = feed(source, child.stdin);
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const failure = await feeding;
    if (failure !== undefined) throw failure;
    const [code] = await closed;
    if (code === 0) return undefined;
    throw new InvalidArchiveError('the bzip2 stream is damaged or cut short', {
      cause: new Error(complaint.trim()),
    });
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
