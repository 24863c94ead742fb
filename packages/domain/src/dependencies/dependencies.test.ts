import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinPaths, pathComponents } from './key-path.ts';
import { matchDependency } from './match.ts';
import { stagingDecision } from './staging.ts';
import { validateDependencies } from './validate.ts';

const uuid = `0x${'a'.repeat(32)}`;

function keys(...children: string[]): { child_path: string; parent_uuid: string; parent_path: string }[] {
  return children.map((child) => ({ child_path: child, parent_uuid: uuid, parent_path: '' }));
}

describe('validation', () => {
  it.each([
    [['data']],
    [['.']],
    [['.', 'data']],
    [['foo/bar', 'foo/bar2']],
    [['/foo/bar', '/foo/baz']],
    [['/foo', 'foo']],
    [['a-b_c.d', 'a-b']],
    [[]],
  ])('accepts %j for a run', (children) => {
    expect(validateDependencies('run', keys(...children))).toBeUndefined();
  });

  it.each([
    [[''], 'child_path empty'],
    [['a b'], 'child_path must match'],
    [['a:b'], 'child_path must match'],
    [['é'], 'child_path must match'],
    [['a\n'], 'child_path must match'],
    [['../x'], "must not contain '..'"],
    [['a/../b'], "must not contain '..'"],
    [['/'], 'must name a place below /'],
    [['/./'], 'must name a place below /'],
    [['a', 'a'], 'Duplicate key: a'],
    [['a', './a/'], 'Duplicate key: ./a/'],
    [['.', './'], 'Duplicate key'],
    [['a', 'a/b'], 'Key a is an ancestor of key a/b'],
    [['/x/y', '/x'], 'Key /x is an ancestor of key /x/y'],
    [['x/y/z', 'b', 'x'], 'Key x is an ancestor of key x/y/z'],
    [['a\0b'], 'child_path must match'],
    [['a/..'], "must not contain '..'"],
    [['/../etc'], "must not contain '..'"],
  ])('refuses %j for a run', (children, problem) => {
    expect(validateDependencies('run', keys(...children))).toContain(problem);
  });

  it('lets a make be one anonymous dependency, or several with keys', () => {
    expect(validateDependencies('make', keys(''))).toBeUndefined();
    expect(validateDependencies('make', keys('a', 'b/c'))).toBeUndefined();
    expect(validateDependencies('make', keys('', ''))).toBe(
      'Must specify keys when packaging multiple targets!',
    );
    expect(validateDependencies('make', keys('', 'a'))).toBe(
      'Must specify keys when packaging multiple targets!',
    );
    expect(validateDependencies('make', keys('.', 'a'))).toBe(
      'Must specify keys when packaging multiple targets!',
    );
    expect(validateDependencies('make', keys('/a'))).toContain('must not be absolute');
  });

  it('checks parents', () => {
    const [dependency] = keys('a');
    if (dependency === undefined) throw new Error('no dependency');
    expect(validateDependencies('run', [{ ...dependency, parent_uuid: '0x1' }])).toContain(
      'Invalid parent_uuid: 0x1',
    );
    expect(validateDependencies('run', [{ ...dependency, parent_path: 'x/../..' }])).toContain("'..'");
    expect(validateDependencies('run', [{ ...dependency, parent_path: 'x\0' }])).toContain('NUL');
    expect(validateDependencies('run', [{ ...dependency, parent_path: 'x/' }])).toBeUndefined();
    expect(validateDependencies('dataset', [dependency])).toContain('no dependencies');
  });

  it('looks through very many keys at once, and still finds the one that is wrong', () => {
    const many = Array.from({ length: 50_000 }, (_unused, at) => `part-${at % 400}/file-${at}`);
    expect(validateDependencies('run', keys(...many))).toBeUndefined();
    expect(validateDependencies('run', keys(...many, 'part-7'))).toContain('Key part-7 is an ancestor of');
    expect(validateDependencies('run', keys(...many, 'part-7/file-7/x'))).toBe(
      'Key part-7/file-7 is an ancestor of key part-7/file-7/x',
    );
    expect(validateDependencies('run', keys(...many, './part-7//file-7'))).toBe(
      'Duplicate key: ./part-7//file-7',
    );
  });

  it('never lets two accepted keys share a place', () => {
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(key, key, (one, other) => {
        if (validateDependencies('run', keys(one, other)) !== undefined) return;
        const [first, second] = [one, other].map(
          (text) => (text.startsWith('/') ? '/' : '') + pathComponents(text).join('/'),
        );
        expect(first).not.toBe(second);
        if (first !== '' && second !== '') {
          expect(`${second}/`.startsWith(`${first}/`)).toBe(false);
          expect(`${first}/`.startsWith(`${second}/`)).toBe(false);
        }
      }),
    );
  });
});

describe('paths that fall into a dependency', () => {
  const dependencies = [
    { child_path: 'data', parent_path: 'sub' },
    { child_path: 'data2/raw', parent_path: '' },
    { child_path: '/abs', parent_path: '' },
  ];

  it('follow the longest key, component by component', () => {
    expect(matchDependency('data/x', dependencies)).toEqual({
      dependency: dependencies[0],
      parentPath: 'sub/x',
    });
    expect(matchDependency('data', dependencies)?.parentPath).toBe('sub');
    expect(matchDependency('data2/raw/a/b', dependencies)?.parentPath).toBe('a/b');
    expect(matchDependency('data2', dependencies)).toBeUndefined();
    expect(matchDependency('datax/y', dependencies)).toBeUndefined();
    expect(matchDependency('abs', dependencies)).toBeUndefined();
    expect(matchDependency('', dependencies)).toBeUndefined();
    expect(matchDependency('data/../x', dependencies)).toBeUndefined();
  });

  it('prefer a longer key to a shorter one', () => {
    const nested = [
      { child_path: '', parent_path: 'whole' },
      { child_path: 'a', parent_path: 'inner' },
    ];
    expect(matchDependency('a/b', nested)?.parentPath).toBe('inner/b');
    expect(matchDependency('a/b', nested.toReversed())?.parentPath).toBe('inner/b');
    expect(matchDependency('c', nested)?.parentPath).toBe('whole/c');
    expect(matchDependency('', nested)?.parentPath).toBe('whole');
  });

  it('find the entries of the key `.`, but not its root', () => {
    const spread = [{ child_path: '.', parent_path: '' }];
    expect(matchDependency('x', spread)?.parentPath).toBe('x');
    expect(matchDependency('', spread)).toBeUndefined();
  });

  it('join without doubled slashes', () => {
    expect(joinPaths('a/', '', './b', '/c')).toBe('a/b/c');
  });
});

describe('staging', () => {
  const ready = { uuid: '0x1', name: 'a', state: 'ready' } as const;
  const failed = { uuid: '0x2', name: 'b', state: 'failed' } as const;
  const killed = { uuid: '0x3', name: 'c', state: 'killed' } as const;
  const running = { uuid: '0x4', name: 'd', state: 'running' } as const;
  const missing = { uuid: '0x5', name: null, state: null } as const;

  it('waits for parents and goes on without any', () => {
    expect(stagingDecision([], { allowFailed: false })).toEqual({ kind: 'stage' });
    expect(stagingDecision([ready, running], { allowFailed: false })).toEqual({ kind: 'wait' });
    expect(stagingDecision([ready, failed, killed], { allowFailed: true })).toEqual({ kind: 'stage' });
    expect(stagingDecision([{ ...running, state: 'worker_offline' }], { allowFailed: true })).toEqual({
      kind: 'wait',
    });
  });

  it('fails where a final parent has not what is wanted, and only then', () => {
    const inputProblem = 'There is nothing.';
    expect(stagingDecision([ready], { allowFailed: false, inputProblem })).toEqual({
      kind: 'fail',
      message: inputProblem,
    });
    expect(stagingDecision([ready, running], { allowFailed: false, inputProblem })).toEqual({ kind: 'wait' });
    expect(stagingDecision([missing], { allowFailed: false, inputProblem })).toEqual({
      kind: 'fail',
      message: 'Missing parent bundles: 0x5',
    });
  });

  it('fails in words, the first problem first', () => {
    expect(stagingDecision([missing, failed], { allowFailed: false, permissionProblem: 'no' })).toEqual({
      kind: 'fail',
      message: 'Missing parent bundles: 0x5',
    });
    expect(stagingDecision([failed], { allowFailed: true, permissionProblem: 'no' })).toEqual({
      kind: 'fail',
      message: 'no',
    });
    const decision = stagingDecision([failed, killed, running], { allowFailed: false });
    expect(decision).toMatchObject({ kind: 'fail' });
    const message = decision.kind === 'fail' ? decision.message : '';
    expect(message).toContain('Parent bundles failed: b(0x2)');
    expect(message).toContain('Parent bundles were killed: c(0x3)');
    expect(message).toContain('Please use the --allow-failed-dependencies flag');
  });
});
