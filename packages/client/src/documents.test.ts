import { expect, test } from 'vitest';
import { flatten, flattenAll } from './documents.ts';

const owner = { type: 'users', id: '3', attributes: { user_name: 'alice' } };

test('attributes, id and included resources stand side by side', () => {
  const bundle = {
    type: 'bundles',
    id: '0x1',
    attributes: { state: 'ready' },
    relationships: {
      owner: { data: { type: 'users', id: '3' } },
      host: { data: null },
      children: { data: [{ type: 'bundles', id: '0x2' }] },
    },
  };
  expect(flatten(bundle, [owner])).toEqual({
    type: 'bundles',
    id: '0x1',
    state: 'ready',
    owner: { type: 'users', id: '3', user_name: 'alice' },
    host: null,
    children: [{ type: 'bundles', id: '0x2' }],
  });
});

test('an attribute named type wins, as worksheet items need it', () => {
  const data = [{ type: 'worksheet-items', id: '1', attributes: { type: 'markup' } }];
  expect(flattenAll({ data })).toEqual([{ id: '1', type: 'markup' }]);
});

test('resources that include each other end', () => {
  const one = {
    type: 'a',
    id: '1',
    attributes: {},
    relationships: { other: { data: { type: 'b', id: '2' } } },
  };
  const two = {
    type: 'b',
    id: '2',
    attributes: {},
    relationships: { back: { data: { type: 'a', id: '1' } } },
  };
  expect(flatten(one, [one, two])).toEqual({
    type: 'a',
    id: '1',
    other: { type: 'b', id: '2', back: { type: 'a', id: '1' } },
  });
});
