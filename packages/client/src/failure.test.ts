import { expect, test } from 'vitest';
import { failureOf } from './failure.ts';

test('a named error keeps its code and its next step', () => {
  const headers = { 'x-sheaf-error': 'has-dependents', 'x-sheaf-next': 'Delete those first.' };
  expect(failureOf(400, headers, 'two bundles depend on it')).toMatchObject({
    code: 'has-dependents',
    message: 'two bundles depend on it',
    next: 'Delete those first.',
    status: 400,
  });
});

test.each([
  [400, 'invalid-request'],
  [401, 'not-authenticated'],
  [403, 'permission-denied'],
  [404, 'not-found'],
  [418, 'invalid-request'],
  [502, 'internal'],
])('a server of other make is understood by its status %i', (status, code) => {
  expect(failureOf(status, {}, 'no\n')).toMatchObject({ code, message: 'no' });
});

test('an unknown code and an empty body say something all the same', () => {
  expect(failureOf(404, { 'x-sheaf-error': 'made-up' }, '')).toMatchObject({
    code: 'not-found',
    message: 'The server answered with status 404.',
  });
});
