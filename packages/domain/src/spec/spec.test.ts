import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBundleSpec, parseBundleSpec } from './bundle-spec.ts';
import { rewriteCommand } from './command-sugar.ts';
import { expandRange, expandRanges } from './ranges.ts';
import { foldCommandWords, joinShellWords, quoteShellWord } from './shell-words.ts';
import { formatTarget, parseKeyedTarget, parseTarget } from './target-spec.ts';
import {
  formatWorksheetSpec,
  homeWorksheetName,
  parseWorksheetReference,
  parseWorksheetSpec,
} from './worksheet-spec.ts';

const uuid = `0x${'0123456789abcdef'.repeat(2)}` as const;

describe('bundle specs', () => {
  it.each([
    [uuid, { kind: 'uuid', uuid }],
    ['0x12ab', { kind: 'prefix', prefix: '0x12ab' }],
    [' train ', { kind: 'name', name: { kind: 'exact', text: 'train' }, index: 1 }],
    ['train^', { kind: 'name', name: { kind: 'exact', text: 'train' }, index: 1 }],
    ['train^12', { kind: 'name', name: { kind: 'exact', text: 'train' }, index: 12 }],
    ['run.*^2', { kind: 'name', name: { kind: 'pattern', pieces: ['run', ''] }, index: 2 }],
    ['%a%', { kind: 'name', name: { kind: 'pattern', pieces: ['', 'a', ''] }, index: 1 }],
    ['*', { kind: 'name', name: { kind: 'exact', text: '*' }, index: 1 }],
    ['^', { kind: 'index', index: 1 }],
    ['^3', { kind: 'index', index: 3 }],
    [
      '/a',
      {
        kind: 'on-worksheet',
        worksheet: { kind: 'home' },
        bundle: { kind: 'name', name: { kind: 'exact', text: 'a' }, index: 1 },
      },
    ],
    [
      'ws/^2',
      { kind: 'on-worksheet', worksheet: { kind: 'name', name: 'ws' }, bundle: { kind: 'index', index: 2 } },
    ],
    [
      `${uuid}/0x1`,
      { kind: 'on-worksheet', worksheet: { kind: 'uuid', uuid }, bundle: { kind: 'prefix', prefix: '0x1' } },
    ],
  ])('reads %s', (text, value) => {
    expect(parseBundleSpec(text)).toEqual({ ok: true, value });
  });

  it.each([
    '',
    ' ',
    'a b',
    'é',
    'a^b',
    '^0',
    'name^0',
    '^-1',
    'ws/',
    'a/b/c',
    '1 a/b',
    '^99999999999999999999',
  ])('refuses %j', (text) => {
    expect(parseBundleSpec(text)).toMatchObject({ ok: false });
  });

  it('names what fits no form', () => {
    expect(parseBundleSpec('a b')).toEqual({ ok: false, problem: 'Invalid bundle_spec: a b' });
  });

  it('are written so that they read the same', () => {
    const characters = fc.constantFrom(...'abcXYZ019_.-%*^/x '.split(''));
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 12 }), (text) => {
        const spec = parseBundleSpec(text);
        if (spec.ok) expect(parseBundleSpec(formatBundleSpec(spec.value))).toEqual(spec);
      }),
    );
  });
});

describe('worksheet specs', () => {
  it.each([
    ['', { kind: 'home' }],
    ['/', { kind: 'home' }],
    [uuid, { kind: 'uuid', uuid }],
    ['0xa', { kind: 'prefix', prefix: '0xa' }],
    ['home-alice', { kind: 'name', name: 'home-alice' }],
  ])('reads %j', (text, value) => {
    expect(parseWorksheetSpec(text)).toEqual({ ok: true, value });
    const spec = parseWorksheetSpec(text);
    if (spec.ok) expect(parseWorksheetSpec(formatWorksheetSpec(spec.value))).toEqual(spec);
  });

  it('refuses what is none', () => {
    expect(parseWorksheetSpec('a b')).toMatchObject({ ok: false });
  });

  it('reads references of the command line', () => {
    const at = (text: string): unknown => {
      const reference = parseWorksheetReference(text);
      return reference.ok ? reference.value : reference.problem;
    };
    expect(at('')).toEqual({ instance: undefined, worksheet: { kind: 'current' } });
    expect(at('.')).toEqual({ instance: undefined, worksheet: { kind: 'current' } });
    expect(at('/')).toEqual({ instance: undefined, worksheet: { kind: 'home' } });
    expect(at('main::')).toEqual({ instance: 'main', worksheet: { kind: 'home' } });
    expect(at('main::nlp::x')).toEqual({ instance: 'main', worksheet: { kind: 'name', name: 'nlp' } });
    expect(at('main::.')).toMatch(/Invalid worksheet spec/);
  });

  it('names homes', () => {
    expect(homeWorksheetName('alice')).toBe('home-alice');
  });
});

const absent = undefined;

describe('targets', () => {
  it.each([
    ['a', absent, absent, 'a', absent],
    ['b', absent, absent, 'b', absent],
    ['ws//b', absent, 'ws', 'b', absent],
    ['prod::ws//b/p', 'prod', 'ws', 'b', 'p'],
    ['a/b/c', absent, absent, 'a', 'b/c'],
    ['a/', absent, absent, 'a', ''],
    ['a/b/', absent, absent, 'a', 'b/'],
    ['^2/stdout', absent, absent, '^2', 'stdout'],
    ['w//a/b', absent, 'w', 'a', 'b'],
    ['p::w//a/b//c', 'p', 'w', 'a', 'b//c'],
    ['http://h:29::w//b/c', 'http://h:29', 'w', 'b', 'c'],
    ['//a', absent, '', 'a', absent],
    ['a//', absent, absent, 'a', '/'],
    ['/a', absent, absent, '/a', absent],
    ['p::', absent, absent, 'p::', absent],
    ['a::b::c', 'a', absent, 'b::c', absent],
  ])('%s is taken apart', (text, instance, worksheet, bundle, subpath) => {
    expect(parseTarget(text)).toEqual({ ok: true, value: { instance, worksheet, bundle, subpath } });
  });

  it('refuses an empty one', () => {
    expect(parseTarget('')).toEqual({ ok: false, problem: 'Bundle spec is missing' });
  });

  it('are put together as they were', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'ab:/^.'.split('')), minLength: 1, maxLength: 14 }),
        (text) => {
          const target = parseTarget(text);
          if (target.ok) expect(formatTarget(target.value)).toBe(text);
        },
      ),
    );
  });

  it.each([
    ['b', absent, absent, absent, 'b', absent],
    [':b', '', absent, absent, 'b', absent],
    ['a:b', 'a', absent, absent, 'b', absent],
    ['a/b:c', 'a/b', absent, absent, 'c', absent],
    ['.:x', '.', absent, absent, 'x', absent],
    ['prod::w//b', absent, 'prod', 'w', 'b', absent],
    ['k:prod::ws//b', 'k', 'prod', 'ws', 'b', absent],
    ['k:prod::w//b/x', 'k', 'prod', 'w', 'b', 'x'],
    ['a:b:c', 'a', absent, absent, 'b:c', absent],
    ['http://h::w//b', 'http', '//h', 'w', 'b', absent],
  ])('%s has a key or none', (text, key, instance, worksheet, bundle, subpath) => {
    expect(parseKeyedTarget(text)).toEqual({
      ok: true,
      value: { key, target: { instance, worksheet, bundle, subpath } },
    });
  });

  it.each(['', ':', 'a:'])('refuses %j with the expected form', (text) => {
    const parsed = parseKeyedTarget(text);
    expect(parsed.ok ? '' : parsed.problem).toContain('[<key>:]');
  });
});

describe('ranges', () => {
  it.each([
    ['foo^1-3', ['foo^1', 'foo^2', 'foo^3']],
    ['^3-1', ['^3', '^2', '^1']],
    ['^1-2/stdout', ['^1', '^2']],
    ['a^b^2-3', ['a^b^2', 'a^b^3']],
    ['foo', ['foo']],
    ['foo^2', ['foo^2']],
    ['^5-5', ['^5']],
  ])('%s', (text, expected) => {
    expect(expandRange(text)).toEqual({ ok: true, value: expected });
  });

  it('expand in order, and not without end', () => {
    expect(expandRanges(['a', '^1-2'])).toEqual({ ok: true, value: ['a', '^1', '^2'] });
    expect(expandRanges(['^1-999999999999999999999'])).toMatchObject({ ok: false });
  });
});

describe('command sugar', () => {
  it.each([
    [[], 'cat %b%/x %b%', ['b1:b'], 'cat b1/x b1'],
    [[], 'cat %:ws//b/sub%', ['sub:ws//b/sub'], 'cat sub'],
    [['a:b'], 'echo %c%', ['a:b', 'b2:c'], 'echo b2'],
    [['a:b'], 'echo %b:c%', ['a:b', 'b:c'], 'echo b'],
    [['x:a', 'y:a'], '%a%', ['x:a', 'y:a'], 'x'],
    [[':a', ':a'], 'c', ['a:a'], 'c'],
    [[], '100%', [], '100%'],
    [[], 'a % b % c', ['b1: b '], 'a b1 c'],
    [[], '%corenlp%/run %a.txt%', ['b1:corenlp', 'b2:a.txt'], 'b1/run b2'],
    [[], 'cat %:a.txt%', ['a.txt:a.txt'], 'cat a.txt'],
    [[], '%:wv//glove/v.txt% x', ['v.txt:wv//glove/v.txt'], 'v.txt x'],
    [['a.txt'], 'cat b1', ['b1:a.txt'], 'cat b1'],
    [[], '%a% %a%', ['b1:a'], 'b1 b1'],
    [[':ws//b/dir/x'], 'c', ['dir/x:ws//b/dir/x'], 'c'],
    [[], 'cat %a%\ncat %b%\n', ['b1:a', 'b2:b'], 'cat b1\ncat b2\n'],
    [[], 'date +%%Y; cat %a%', ['b1:a'], 'date +%%Y; cat b1'],
    [[], 'echo 5%\necho 6%', [], 'echo 5%\necho 6%'],
  ])('%j %j', (targets, command, dependencies, rewritten) => {
    const result = rewriteCommand(targets, command);
    expect(result.ok && result.value.dependencies.map(({ key, target }) => `${key}:${target}`)).toEqual(
      dependencies,
    );
    expect(result.ok && result.value.command).toBe(rewritten);
  });

  it('refuses a key with two meanings', () => {
    expect(rewriteCommand([], '%a:b% %a:c%')).toEqual({
      ok: false,
      problem: 'key a exists with multiple values: b and c',
    });
    expect(rewriteCommand(['a:'], 'x')).toMatchObject({ ok: false });
  });
});

describe('shell words', () => {
  it.each([
    [['echo', 'hello'], 'echo hello'],
    [['echo', 'hello world!'], "echo 'hello world!'"],
    [['echo', ''], "echo ''"],
    [['hi bob'], "'hi bob'"],
    [["it's"], `'it'"'"'s'`],
    [['a@%+=:,./-_'], 'a@%+=:,./-_'],
    [[], ''],
  ])('%j', (words, text) => {
    expect(joinShellWords(words)).toBe(text);
  });

  it('quotes a line end', () => {
    expect(quoteShellWord('a\n')).toBe("'a\n'");
  });

  it('folds what follows ---', () => {
    expect(foldCommandWords(['run', 'a:b', '---', 'echo', 'x y', '---'])).toEqual([
      'run',
      'a:b',
      "echo 'x y' ---",
    ]);
    expect(foldCommandWords(['run', '---'])).toEqual(['run', '']);
    expect(foldCommandWords(['run', 'x'])).toEqual(['run', 'x']);
  });
});
