import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { formatEngineAddress, parseEngineAddress } from './address.ts';
import { EngineClient } from './client.ts';
import { EngineError, EngineUnreachableError } from './errors.ts';
import { joinFrames } from './frames.ts';
import { jsonLines } from './json-lines.ts';
import { chooseVersion } from './version.ts';

const never = new AbortController().signal;

describe('addresses of engines', () => {
  it.each([
    ['unix:///var/run/docker.sock', { kind: 'socket', path: '/var/run/docker.sock' }],
    ['/run/podman.sock', { kind: 'socket', path: '/run/podman.sock' }],
    ['tcp://host:2376', { kind: 'tcp', host: 'host', port: 2376 }],
    ['tcp://[::1]', { kind: 'tcp', host: '::1', port: 2375 }],
    ['http://10.0.0.1:80', { kind: 'tcp', host: '10.0.0.1', port: 80 }],
    ['ssh://host', undefined],
    ['unix://relative', undefined],
    ['tcp://', undefined],
    ['docker', undefined],
  ])('%s', (text, expected) => expect(parseEngineAddress(text)).toEqual(expected));

  it('are written as they are read', () => {
    for (const text of ['unix:///var/run/docker.sock', 'tcp://host:2376']) {
      const address = parseEngineAddress(text);
      expect(address && formatEngineAddress(address)).toBe(text);
    }
  });
});

describe('the version of the interface', () => {
  it.each([
    ['1.41', '1.12', '1.41'],
    ['1.52', '1.44', '1.44'],
    ['1.47', '1.24', '1.41'],
    ['1.40', '1.12', '1.40'],
    ['1.41', undefined, '1.41'],
  ])('newest %s, oldest %s: %s', (newest, oldest, expected) =>
    expect(chooseVersion(newest, oldest)).toBe(expected),
  );

  it('must not be too old', () => {
    expect(() => chooseVersion('1.39', '1.12')).toThrow(/1\.39.*1\.40/);
  });
});

describe('streams of the engine', () => {
  it('of frames give the payloads in their order', () => {
    const frame = (stream: number, text: string): Buffer => {
      const header = Buffer.alloc(8);
      header[0] = stream;
      header.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([header, Buffer.from(text)]);
    };
    const whole = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, '')]);

    expect(joinFrames(whole).toString()).toBe('outerr');
    expect(joinFrames(whole.subarray(0, 20)).toString()).toBe('oute');
    expect(joinFrames(Buffer.alloc(3)).length).toBe(0);
  });

  it('of values may be cut anywhere', async () => {
    const bytes = Buffer.from('{"a":"é"}\r\n{"b":2}\n\n{"c":3}');
    for (let size = 1; size < bytes.length; size += 1) {
      const values: unknown[] = [];
      for await (const value of jsonLines(pieces(bytes, size))) {
        values.push(value);
      }
      expect(values).toEqual([{ a: 'é' }, { b: 2 }, { c: 3 }]);
    }
  });
});

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += size) {
    yield bytes.subarray(offset, offset + size);
  }
}

describe('an engine over tcp', () => {
  const closing: (() => void)[] = [];
  afterEach(() => closing.splice(0).forEach((close) => close()));

  async function engineThat(answers: RequestListener): Promise<{ kind: 'tcp'; host: string; port: number }> {
    const server = createServer(answers).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  }

  it('is spoken to in the version it understands', async () => {
    const paths: (string | undefined)[] = [];
    const address = await engineThat((request, response) => {
      paths.push(request.url);
      response.end(
        JSON.stringify(
          request.url === '/version' ? { Version: '29.0', ApiVersion: '1.52', MinAPIVersion: '1.44' } : {},
        ),
      );
    });
    const client = await EngineClient.connect(address, never);
    await client.info();
    client.close();

    expect(paths).toEqual(['/version', '/v1.44/info']);
  });

  it('is refused where it is something else', async () => {
    const address = await engineThat((_, response) => response.end('{"hello":"world"}'));

    await expect(EngineClient.connect(address, never)).rejects.toThrow(/not a container engine/);
  });

  it('hands on its refusals with their status', async () => {
    const address = await engineThat((request, response) => {
      response.statusCode = request.url === '/version' ? 200 : 409;
      response.end(
        JSON.stringify(
          request.url === '/version' ? { Version: '1', ApiVersion: '1.41' } : { message: 'taken' },
        ),
      );
    });
    const client = await EngineClient.connect(address, never);

    const failure = await client.info().catch((error: unknown) => error);
    client.close();

    expect(failure).toBeInstanceOf(EngineError);
    expect(failure).toMatchObject({ status: 409, message: 'taken' });
  });

  it('is unreachable where nobody listens', async () => {
    const address = await engineThat(() => undefined);
    closing.splice(0).forEach((close) => close());

    const failure = await EngineClient.connect(address, never).catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(EngineUnreachableError);
    expect(String(failure)).toContain(`tcp://127.0.0.1:${address.port} does not answer`);
  });

  it('can be given up on', async () => {
    const address = await engineThat(() => undefined);
    const impatient = new AbortController();
    const connecting = EngineClient.connect(address, impatient.signal);

    impatient.abort(new Error('enough'));

    await expect(connecting).rejects.toThrow('enough');
  });
});
