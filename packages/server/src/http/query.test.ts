import { expect, it } from 'vitest';
import { readQuery } from './query.ts';

const query = (text: string) => readQuery(new URLSearchParams(text));

it('takes the last of several values, and all of a list in order', () => {
  expect(query('a=1&a=2').text('a')).toBe('2');
  expect(query('specs=x,y&specs=z').list('specs')).toEqual(['x,y', 'z']);
  expect(query('keywords=a+b').list('keywords')).toEqual(['a b']);
});

it('counts an empty value and the text None as absent where that is asked for', () => {
  expect(query('worksheet=None').given('worksheet')).toBeUndefined();
  expect(query('worksheet=').given('worksheet')).toBeUndefined();
  expect(query('worksheet=0x1').given('worksheet')).toBe('0x1');
});

it.each([
  ['force=1', true],
  ['force=0', false],
  ['force=7', true],
  ['', false],
])('reads the flag in %j', (text, flag) => {
  expect(query(text).flag('force', false)).toBe(flag);
});

it.each(['force=', 'force=true', 'force=1.5'])('refuses the flag in %j', (text) => {
  expect(() => query(text).flag('force', false)).toThrow("'force' parameter must be integer boolean");
});

it('refuses what is no integer', () => {
  expect(query('depth=-3').integer('depth')).toBe(-3);
  expect(() => query('depth=a').integer('depth')).toThrow("Invalid int 'a'");
});

it('splits include at commas and names what is not supported', () => {
  expect([...query('include=owner,children').include(['owner', 'children'])]).toEqual(['owner', 'children']);
  expect(() => query('include=owner,x,y').include(['owner'])).toThrow('?include=x,y not supported');
});
