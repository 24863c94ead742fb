/* What passes between a channel and a command: in which order, how fast, and how it ends. */
import type { ExecSession } from '@sheaf/runtimes';
import { sessionWindow, type SessionControl, type SessionStart } from '@sheaf/wire';
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Conversation } from './conversation.ts';

/** A command that notes what is done to it, and does it when it is let. */
class Command implements ExecSession {
  readonly did: string[] = [];
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly stdin: Writable;
  readonly exit: Promise<number>;
  closed = 0;
  end: (code: number) => void = () => undefined;
  break: (error: Error) => void = () => undefined;
  resizing: () => Promise<void> = async () => undefined;
  reading: () => Promise<void> = async () => undefined;

  constructor() {
    this.exit = new Promise((resolve, reject) => {
      this.end = (code) => {
        this.stdout.end();
        this.stderr.end();
        resolve(code);
      };
      this.break = reject;
    });
    this.exit.catch(() => undefined);
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        void this.reading().then(() => {
          this.did.push(`read ${chunk.toString()}`);
          setImmediate(done);
        });
      },
      final: (done) => {
        this.did.push('end of input');
        done();
      },
    });
  }

  async resize({ rows, columns }: { rows: number; columns: number }): Promise<void> {
    await this.resizing();
    this.did.push(`resize ${rows}x${columns}`);
  }

  async close(): Promise<void> {
    this.closed += 1;
    this.end(137);
  }
}

/** The other end: takes everything at once, or when it is told to. */
class Listener {
  readonly told: (SessionControl | SessionStart)[] = [];
  readonly heard: string[] = [];
  listening: () => Promise<void> = async () => undefined;

  async send(stream: string, bytes: Uint8Array): Promise<void> {
    await this.listening();
    this.heard.push(`${stream} ${Buffer.from(bytes).toString()}`);
  }

  tell(control: SessionControl | SessionStart): void {
    this.told.push(control);
  }
}

function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = new AbortController().signal;
const bytes = (text: string) => Buffer.from(text);
const size = (rows: number) => ({ type: 'resize', rows, columns: 80 }) as const;

describe('what comes from the channel', () => {
  it('is done in its order, however long a step takes, and also what came before the command', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    const { handlers } = conversation;
    const [resized, taken] = [gate(), gate()];
    command.resizing = () => resized.opened;
    command.reading = () => taken.opened;
    const first = handlers.data('stdin', bytes('a'));
    handlers.control(size(50));
    const carried = conversation.carry(listener, command, never);
    const second = handlers.data('stdin', bytes('b'));
    handlers.control({ type: 'end' });

    await settled();
    expect(command.did).toEqual([]);
    taken.open();
    await first;
    await settled();
    expect(command.did).toEqual(['read a']);
    resized.open();
    await second;
    await settled();
    expect(command.did).toEqual(['read a', 'resize 50x80', 'read b', 'end of input']);
    command.end(0);
    await carried;
  });

  it('is the last size only, where several wait, and one end only', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    const { handlers } = conversation;
    for (let rows = 1; rows <= 1000; rows += 1) handlers.control(size(rows));
    const typed = handlers.data('stdin', bytes('x'));
    for (let rows = 1; rows <= 1000; rows += 1) handlers.control(size(rows + 1000));
    for (let times = 0; times < 1000; times += 1) handlers.control({ type: 'end' });
    const carried = conversation.carry(listener, command, never);
    await typed;
    await settled();
    handlers.control(size(3));
    await settled();

    expect(command.did).toEqual([
      'resize 1000x80',
      'read x',
      'resize 2000x80',
      'end of input',
      'resize 3x80',
    ]);
    command.end(0);
    await carried;
  });

  it('waits for a command that does not read, and is let go of when it has ended', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    const { handlers } = conversation;
    const taken = gate();
    command.reading = () => taken.opened;
    const carried = conversation.carry(listener, command, never);
    let passed = 0;
    const typed = ['a', 'b'].map(async (text) => {
      await handlers.data('stdin', bytes(text));
      passed += 1;
    });
    await settled();
    expect(passed).toBe(0);
    command.stdin.destroy();
    taken.open();
    await Promise.all(typed);
    expect(passed).toBe(2);
    command.end(0);
    await carried;
  });

  it('for other streams is passed over', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    const carried = conversation.carry(listener, command, never);
    await conversation.handlers.data('stdout', bytes('x'));
    conversation.handlers.control({ type: 'exit', code: 3 });
    await settled();
    expect(command.did).toEqual([]);
    command.end(0);
    await carried;
    expect(listener.told).toEqual([{ type: 'started' }, { type: 'exit', code: 0 }]);
  });
});

describe('the end', () => {
  it('is told when everything that was said has been taken', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    const taken = gate();
    listener.listening = () => taken.opened;
    const carried = conversation.carry(listener, command, never);
    command.stdout.write('out');
    command.stderr.write('err');
    command.end(7);
    await settled();
    expect(listener.told).toEqual([{ type: 'started' }]);
    taken.open();
    await carried;
    expect(listener.heard.toSorted()).toEqual(['stderr err', 'stdout out']);
    expect(listener.told.at(-1)).toEqual({ type: 'exit', code: 7 });
    expect(command.closed).toBe(1);
  });

  it('of a command that says more than the other end takes waits, with little in memory', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    const taken = gate();
    listener.listening = () => taken.opened;
    const carried = conversation.carry(listener, command, never);
    let written = 0;
    while (command.stdout.write(Buffer.alloc(65_536)) && written < sessionWindow) {
      written += 65_536;
      await settled();
    }
    expect(written).toBeLessThan(sessionWindow);
    taken.open();
    command.end(0);
    await carried;
  });

  it.each(['before the command begins', 'while it runs'])(
    'kills the command when the channel closes %s',
    async (when) => {
      const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
      if (when.startsWith('before')) conversation.handlers.closed();
      const carried = conversation.carry(listener, command, never);
      if (when.startsWith('while')) conversation.handlers.closed();
      await carried;
      expect(command.closed).toBeGreaterThan(0);
      await conversation.handlers.data('stdin', bytes('late'));
    },
  );

  it('lets go of whoever types when the channel closes before there is a command', async () => {
    const { handlers } = new Conversation();
    const typed = handlers.data('stdin', bytes('x'));
    handlers.closed();
    await typed;
  });

  it('comes when the engine cannot be told a size, and is told as any other', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    command.resizing = () => Promise.reject(new Error('the engine is away'));
    conversation.handlers.control(size(1));
    const typed = conversation.handlers.data('stdin', bytes('x'));
    await conversation.carry(listener, command, never);
    await typed;
    expect(command.closed).toBeGreaterThan(0);
    expect(listener.told.at(-1)).toEqual({ type: 'exit', code: 137 });
  });

  it('comes with words when the worker stops', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    const stop = new AbortController();
    const carried = conversation.carry(listener, command, stop.signal);
    stop.abort();
    await carried;
    expect(command.closed).toBeGreaterThan(0);
    expect(listener.told.at(-1)).toMatchObject({ type: 'failed', code: 'worker-unreachable' });
  });

  it('that cannot be known is thrown, and nothing is left', async () => {
    const [conversation, command, listener] = [new Conversation(), new Command(), new Listener()];
    const carried = conversation.carry(listener, command, never);
    command.break(new Error('the engine broke'));
    command.stdout.destroy(new Error('the engine broke'));
    await expect(carried).rejects.toThrow('the engine broke');
    expect(command.closed).toBe(1);
    expect(listener.told).toEqual([{ type: 'started' }]);
  });
});
