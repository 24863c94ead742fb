/* A bare TCP connection, for what no HTTP client would send. */
import { connect, type Socket } from 'node:net';

export interface RawConnection {
  send(text: string | Uint8Array): void;
  /** Resolves once what was received so far fulfils the condition; rejects when the connection ends before. */
  received(condition: (text: string) => boolean): Promise<string>;
  /** Everything received until the other side closed. */
  ended(): Promise<string>;
  close(): void;
}

export async function openRawConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let text = '';
  let isOver = false;
  const listeners = new Set<() => void>();
  const notify = () => {
    for (const listener of listeners) listener();
  };
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    notify();
  });
  socket.on('error', notify);
  socket.on('close', () => {
    isOver = true;
    notify();
  });
  const until = (condition: () => boolean) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        if (!condition() && !isOver) return;
        listeners.delete(look);
        if (condition()) resolve(text);
        else reject(new Error(`The connection ended after: ${text}`));
      };
      listeners.add(look);
      look();
    });
  return {
    send: (bytes) => socket.write(bytes),
    received: (condition) => until(() => condition(text)),
    ended: () => until(() => isOver),
    close: () => socket.destroy(),
  };
}
