import { formatDate } from '../units/date.ts';
import { formatDuration } from '../units/duration.ts';
import { formatSize } from '../units/size.ts';
import { replaceAllMatches } from './pattern/replace.ts';
import { formatNumber } from './printf.ts';
import { pythonText } from './python-text.ts';
import { isObject, type GenpathValue } from './value.ts';

/** One step failed: the chain ends with the value it had. */
class StepFailed extends Error {}

/**
 * Applies a chain of post-processors, ` | ` between them, to a value (bundles.md §19.3, worksheets.md §6.3). Null stays null. A
 * step that cannot be applied ends the chain, and the value is what the steps before it made.
 *
 * @param post null or empty for none.
 * @param options.offsetMinutes zone of dates, minutes east of UTC.
 */
export function postProcess(
  value: GenpathValue,
  post: string | null,
  options: { offsetMinutes?: number } = {},
): GenpathValue {
  if (post === null || post === '') return value;
  let current = value;
  for (const step of post.split(' | ')) {
    try {
      current = applyStep(current, step, options.offsetMinutes ?? 0);
    } catch (error) {
      if (error instanceof StepFailed) return current;
      throw error;
    }
  }
  return current;
}

function applyStep(value: GenpathValue, step: string, offsetMinutes: number): GenpathValue {
  if (step.startsWith('%')) return nullOr(value, () => printed(value, step));
  if (step.startsWith('s/')) return nullOr(value, () => replaced(value, step));
  if (step.startsWith('[')) return nullOr(value, () => sliced(value, step));
  const words = step.split(' ').filter((word) => word !== '');
  switch (words[0]) {
    case 'str':
      return nullOr(value, () => pythonText(value));
    case 'date':
      return nullOr(value, () => formatDate(numberOf(value), offsetMinutes));
    case 'duration':
      return nullOr(value, () => formatDuration(numberOf(value)));
    case 'size':
      return nullOr(value, () => formatSize(numberOf(value), { withBytes: true }));
    case 'key':
      return words.length === 2 ? { [words[1] ?? '']: value } : value;
    case 'add':
      return words.length === 3 ? added(value, words[1] ?? '', words[2] ?? '') : value;
    case undefined:
    default:
      return `<invalid function: ${step}>`;
  }
}

function nullOr(value: GenpathValue, step: () => GenpathValue): GenpathValue {
  return value === null ? null : step();
}

/** Numbers, and texts that are written as one (columns of tab-separated files are text). */
function numberOf(value: GenpathValue): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || Number.isNaN(number)) throw new StepFailed();
  return number;
}

function printed(value: GenpathValue, format: string): string {
  const text = formatNumber(format, typeof value === 'boolean' ? Number(value) : numberOf(value));
  if (!text.ok) throw new StepFailed();
  return text.value;
}

function replaced(value: GenpathValue, step: string): GenpathValue {
  const parts = /^s\/((?:[^\\/]|\\[^])*)\/((?:[^\\/]|\\[^])*)$/.exec(step);
  if (parts === null) return `<invalid regex: ${step}>`;
  if (typeof value !== 'string') throw new StepFailed();
  const [pattern, replacement] = parts.slice(1).map((part) => part.replaceAll('\\/', '/'));
  const text = replaceAllMatches(pattern ?? '', replacement ?? '', value);
  if (!text.ok) throw new StepFailed();
  return text.value;
}

function sliced(value: GenpathValue, step: string): GenpathValue {
  const bounds = /^\[(-?\d*):(-?\d*)\]$/.exec(step);
  if (bounds === null || bounds[1] === '-' || bounds[2] === '-') return `<invalid function: ${step}>`;
  if (typeof value !== 'string') return value;
  const characters = Array.from(value);
  const [start, end] = [bounds[1] ?? '', bounds[2] ?? ''];
  return characters
    .slice(start === '' ? 0 : Number(start), end === '' ? characters.length : Number(end))
    .join('');
}

function added(value: GenpathValue, key: string, text: string): GenpathValue {
  if (!isObject(value)) return `arg (<class '${pythonClass(value)}'>) not a dictionary`;
  return { ...value, [key]: text };
}

function pythonClass(value: GenpathValue): string {
  if (value === null) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  return typeof value === 'string' ? 'str' : 'bool';
}
