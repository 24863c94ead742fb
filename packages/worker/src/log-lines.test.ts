import { pino } from 'pino';
import { expect, it } from 'vitest';
import { readableLog } from './log-lines.ts';

it('a terminal shows records as lines that people read', () => {
  const lines: string[] = [];
  const log = pino(
    {},
    readableLog((text) => lines.push(text)),
  );

  log.info('Worker started!');
  log.warn({ error: 'away', failures: 1 }, 'check-in failed');
  log.error({ run: '0x1' }, 'a run stopped working');

  expect(lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, ''))).toEqual([
    'Worker started!\n',
    'Warning: check-in failed (error=away, failures=1)\n',
    'Error: a run stopped working (run=0x1)\n',
  ]);
});
