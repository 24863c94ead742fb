import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PipeStock } from './pipe-stock.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sheaf-pipes-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const stocked = () => readdirSync(join(directory, 'stock')).length;
const at = (name: string) => join(directory, name);
const openStock = (make?: ConstructorParameters<typeof PipeStock>[1]) =>
  new PipeStock(join(directory, 'stock'), make);

it('has nothing at first, and then pipes that only their owner may open', async () => {
  const stock = openStock();
  stock.place(at('first'));
  await stock.settled();
  stock.place(at('second'));

  expect(existsSync(at('first'))).toBe(false);
  const made = lstatSync(at('second'));
  expect([made.isFIFO(), made.mode & 0o777]).toEqual([true, 0o600]);
});

it('gives each pipe away once, and makes others when there are none', async () => {
  const stock = openStock();
  stock.place(at('none'));
  await stock.settled();
  const first = stocked();
  for (let number = 0; number <= first; number += 1) stock.place(at(`pipe-${number}`));
  await stock.settled();

  const given = readdirSync(directory).filter((name) => name.startsWith('pipe-'));
  expect([given.length, new Set(given.map((name) => lstatSync(at(name)).ino)).size]).toEqual([first, first]);
  expect(stocked()).toBe(first);
});

it('uses what an earlier process has left, also beside another one', async () => {
  const earlier = openStock();
  earlier.place(at('none'));
  await earlier.settled();
  const [one, other] = [openStock(), openStock()];

  for (const name of ['a', 'b']) {
    one.place(at(`one-${name}`));
    other.place(at(`other-${name}`));
  }

  const given = ['one-a', 'one-b', 'other-a', 'other-b'].map((name) => lstatSync(at(name)).ino);
  expect(new Set(given).size).toBe(4);
});

it('leaves it to others where no pipes can be made, and does not try again', async () => {
  let tries = 0;
  const stock = openStock(() => {
    tries += 1;
    return Promise.reject(new Error('no such program'));
  });
  for (const name of ['a', 'b']) {
    stock.place(at(name));
    await stock.settled();
  }

  expect([existsSync(at('a')), existsSync(at('b')), tries]).toEqual([false, false, 1]);
});

it('leaves nothing when it closes, and makes no more', async () => {
  const stock = openStock();
  stock.place(at('none'));
  await stock.close();
  expect(readdirSync(directory)).toEqual([]);

  stock.place(at('late'));
  await stock.settled();
  expect(readdirSync(directory)).toEqual([]);
});
