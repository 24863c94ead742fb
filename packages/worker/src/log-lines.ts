/** The log for somebody who watches a terminal: one readable line a record instead of JSON. */
import type { DestinationStream } from 'pino';

const shownElsewhere = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'v']);
const warning = 40;
const error = 50;

export function readableLog(write: (text: string) => unknown): DestinationStream {
  return { write: (record) => void write(`${readableLine(record)}\n`) };
}

/** @param record one record as pino writes it */
export function readableLine(record: string): string {
  const fields = JSON.parse(record) as Record<string, unknown>;
  const level = Number(fields['level']);
  const word = level >= error ? 'Error: ' : level >= warning ? 'Warning: ' : '';
  const details = Object.entries(fields)
    .filter(([name, value]) => !shownElsewhere.has(name) && value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const message = typeof fields['msg'] === 'string' ? fields['msg'] : '';
  const text = `${timeOf(Number(fields['time']))} ${word}${message}`;
  return details.length === 0 ? text : `${text} (${details.join(', ')})`;
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toTimeString().slice(0, 8);
}
