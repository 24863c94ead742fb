import type { WorksheetItem } from '@sheaf/client';
import { expect, test } from 'vitest';
import { sourceLines } from './worksheet-source.ts';

const uuid = `0x${'1'.repeat(32)}`;
const item = (more: object): WorksheetItem =>
  ({ id: '1', type: 'markup', value: null, bundle: null, subworksheet: null, ...more }) as WorksheetItem;

test.each([
  [item({ value: 'Some *text*' }), 'Some *text*'],
  [item({ type: 'directive', value: '% a remark' }), '//a remark'],
  [item({ type: 'directive', value: 'display table "a b" c' }), "% display table 'a b' c"],
  [item({ type: 'directive', value: '' }), '%'],
  [
    item({ type: 'worksheet', subworksheet: { id: uuid, uuid, name: 'other' } }),
    `[worksheet other]{{${uuid}}}`,
  ],
  [item({ type: 'bundle', bundle: { id: uuid, type: 'bundles' } }), `[]{${uuid}}`],
  [
    item({
      type: 'bundle',
      bundle: {
        id: uuid,
        uuid,
        bundle_type: 'run',
        command: 'a\nb',
        metadata: { name: 'r' },
        dependencies: [{ child_path: 'k', parent_uuid: uuid, parent_path: 'p', parent_name: 'x' }],
      },
    }),
    `[run r -- k:x/p : a b]{${uuid}}`,
  ],
])('%# is one line of source', (one, line) => {
  expect(sourceLines([one])).toEqual([line]);
});
