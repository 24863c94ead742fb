import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { flags } from './flags.ts';

it('docs/workers.md lists the flags there are', () => {
  const path = fileURLToPath(new URL('../../../../docs/workers.md', import.meta.url));
  const table = readFileSync(path, 'utf8').split('## Flags')[1]?.split('## What')[0] ?? '';
  const listed = [...table.matchAll(/`--([a-z-]+)/g)].map(([, name]) => name ?? '');
  const names = flags.map(({ name }) => name).filter((name) => name !== 'help');

  expect(new Set(listed.filter((name) => !['tag-ex', 'flag', 'help'].includes(name)))).toEqual(
    new Set(names),
  );
});
