import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  actionKey,
  canonicalAction,
  imageDigest,
  inputContents,
  pendingContents,
  type Action,
  type ActionEnvironment,
} from './action.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const keyOf = (action: Action): string => actionKey(action, sha256);

const hex = fc.string({
  unit: fc.constantFrom(...Array.from('0123456789abcdef')),
  minLength: 64,
  maxLength: 64,
});
const contents = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), digest: hex, executable: fc.boolean() }),
  fc.record({ kind: fc.constant('tree' as const), digest: hex }),
  fc.record({ kind: fc.constant('link' as const), target: fc.string() }),
);
const input = fc.record({
  key: fc.string({ unit: fc.constantFrom('a', 'b', '_', '-'), minLength: 1, maxLength: 4 }),
  contents: contents.map(inputContents),
});
const environment: fc.Arbitrary<ActionEnvironment> = fc.oneof(
  fc.record({ kind: fc.constant('image' as const), digest: hex }),
  fc.record({ kind: fc.constant('host' as const), host: fc.string() }),
  fc.record({ kind: fc.constant('requested' as const), image: fc.string(), named: fc.boolean() }),
);
const action: fc.Arbitrary<Action> = fc.record({
  environment,
  command: fc.string(),
  network: fc.boolean(),
  gpus: fc.boolean(),
  excludePatterns: fc.array(fc.string(), { maxLength: 3 }),
  inputs: fc.uniqueArray(input, { selector: ({ key }) => key, maxLength: 5 }),
});

describe('the action key', () => {
  it('does not depend on the order of inputs and patterns', () => {
    fc.assert(
      fc.property(action, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (one, chance) => {
        const shuffled = <Item>(items: readonly Item[]): Item[] =>
          items
            .map((item) => ({ item, at: Number(chance.next().value) }))
            .toSorted((first, second) => first.at - second.at)
            .map(({ item }) => item);
        const other = {
          ...one,
          inputs: shuffled(one.inputs),
          excludePatterns: shuffled([...one.excludePatterns, ...one.excludePatterns]),
        };
        expect(keyOf(other)).toBe(keyOf(one));
      }),
    );
  });

  it('is another one whenever any part is another', () => {
    fc.assert(
      fc.property(
        action,
        action,
        fc.constantFrom<keyof Action>(
          'environment',
          'command',
          'network',
          'gpus',
          'excludePatterns',
          'inputs',
        ),
        (one, other, part) => {
          const changed = { ...one, [part]: other[part] };
          const same = partText(one, part) === partText(changed, part);
          expect(keyOf(changed) === keyOf(one)).toBe(same);
        },
      ),
    );
  });

  it('tells inputs apart by key, by contents, and by whether they may be executed', () => {
    const base: Action = {
      environment: { kind: 'image', digest: 'sha256:0' },
      command: 'run',
      network: true,
      gpus: false,
      excludePatterns: [],
      inputs: [{ key: 'a', contents: inputContents({ kind: 'file', digest: '1', executable: false }) }],
    };
    const variants = [
      base,
      { ...base, inputs: [] },
      { ...base, inputs: [{ key: 'b', contents: 'file 1' }] },
      { ...base, inputs: [{ key: '/a', contents: 'file 1' }] },
      { ...base, inputs: [{ key: '.', contents: 'file 1' }] },
      { ...base, inputs: [{ key: 'a', contents: 'file 2' }] },
      { ...base, inputs: [{ key: 'a', contents: inputContents({ kind: 'tree', digest: '1' }) }] },
      {
        ...base,
        inputs: [{ key: 'a', contents: inputContents({ kind: 'file', digest: '1', executable: true }) }],
      },
      { ...base, inputs: [{ key: 'a', contents: pendingContents('0x1', '') }] },
    ];
    expect(new Set(variants.map(keyOf)).size).toBe(variants.length);
    for (const spelling of ['a/', './a', 'a//.']) {
      expect(keyOf({ ...base, inputs: [{ key: spelling, contents: 'file 1' }] })).toBe(keyOf(base));
    }
  });

  it('is fixed: keys that are stored mean the same for ever', () => {
    const fixed: Action = {
      environment: { kind: 'image', digest: `sha256:${'a'.repeat(64)}` },
      command: 'python t.py',
      network: true,
      gpus: false,
      excludePatterns: ['*.tmp'],
      inputs: [{ key: 'data', contents: `tree ${'b'.repeat(64)}` }],
    };
    expect(canonicalAction(fixed)).toBe(
      `["sheaf-action-1",["image","sha256:${'a'.repeat(64)}"],"python t.py",{"network":true,"gpus":false},["*.tmp"],[["data","tree ${'b'.repeat(64)}"]]]`,
    );
  });
});

/** What a part says, independent of order, in a form of the test's own. */
function partText(of: Action, part: keyof Action): string {
  if (part === 'inputs')
    return [...new Map(of.inputs.map((one) => [one.key, JSON.stringify(one.contents)]))]
      .map(String)
      .toSorted()
      .join('\n');
  if (part === 'excludePatterns') return JSON.stringify([...new Set(of.excludePatterns)].toSorted());
  if (part === 'environment') return JSON.stringify(Object.values(of.environment));
  return JSON.stringify(of[part]);
}

describe('image digests', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  it.each([
    [`python@${digest}`, digest],
    [`host:5000/a/b@${digest}`, digest],
    [digest, digest],
    ['python:3.12', undefined],
    [`python@sha256:12`, undefined],
    [`python:${digest.slice(7)}`, undefined],
  ])('%s', (reference, expected) => {
    expect(imageDigest(reference)).toBe(expected);
  });
});
