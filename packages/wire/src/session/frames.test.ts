import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSessionControl, readSessionData, sessionData, type SessionStream } from './frames.ts';
import { sessionStart } from './start.ts';

describe('frames of a session', () => {
  it('give back the stream and the bytes that went in', () => {
    const streams: readonly SessionStream[] = ['stdin', 'stdout', 'stderr'];
    fc.assert(
      fc.property(fc.constantFrom(...streams), fc.uint8Array({ maxLength: 300 }), (stream, bytes) => {
        expect(readSessionData(sessionData(stream, bytes))).toEqual({ stream, bytes });
      }),
    );
  });

  it('of a stream that nobody knows, or without one, are told apart', () => {
    expect(readSessionData(Uint8Array.of(7, 1))).toBeUndefined();
    expect(readSessionData(new Uint8Array())).toBeUndefined();
  });

  it.each([
    '{"type":"resize","rows":24,"columns":80}',
    '{"type":"end"}',
    '{"type":"taken","bytes":65536}',
    '{"type":"started"}',
    '{"type":"exit","code":137}',
    '{"type":"failed","code":"not-found","message":"gone","next":"look"}',
  ])('carry %s', (text) => {
    expect(readSessionControl(text)).toEqual(JSON.parse(text));
  });

  it.each([
    '',
    'null',
    '[]',
    '{"type":"resize","rows":-1,"columns":80}',
    '{"type":"resize","rows":1e9,"columns":80}',
    '{"type":"taken","bytes":-5}',
    '{"type":"taken","bytes":"all"}',
    '{"type":"exit"}',
    '{"type":"start","command":[]}',
  ])('pass over %s', (text) => {
    expect(readSessionControl(text)).toBeUndefined();
  });
});

describe('the start of a session', () => {
  const start = { type: 'start', command: ['ls'], terminal: null };

  it.each([
    ['without a terminal', start],
    ['with one', { ...start, terminal: { rows: 24, columns: 80 }, term: 'xterm-256color' }],
    ['of a shell', { ...start, command: [] }],
  ])('%s is taken', (_, value) => {
    expect(sessionStart.parse(value)).toEqual(value);
  });

  it.each([
    ['a zero byte in a word', { ...start, command: ['a\0b'] }],
    ['a command that is too long', { ...start, command: ['x'.repeat(100_000)] }],
    ['a terminal without a size', { ...start, terminal: {} }],
    ['a name of a terminal that is a path', { ...start, term: '../../x' }],
  ])('refuses %s', (_, value) => {
    expect(sessionStart.safeParse(value).success).toBe(false);
  });
});
