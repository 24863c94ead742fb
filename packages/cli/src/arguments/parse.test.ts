import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseArguments } from './parse.ts';
import { worksheetFlag, type Syntax } from './specification.ts';
import { SyntaxProblem } from './syntax-problem.ts';

const run: Syntax = {
  name: 'run',
  positionals: [
    { name: 'target_spec', count: 'any', help: '' },
    { name: 'command', count: 'one', help: '' },
  ],
  flags: [
    worksheetFlag,
    { long: '--name', short: '-n', kind: 'text', help: '' },
    { long: '--after_sort_key', short: '-a', kind: 'text', help: '' },
    { long: '--tags', kind: 'words', help: '' },
    { long: '--field', short: '-f', kind: 'pair', help: '' },
    { long: '--request-cpus', kind: 'integer', help: '' },
    { long: '--request-gpus', kind: 'integer', help: '' },
    { long: '--wait', short: '-W', kind: 'switch', help: '' },
    { long: '--tail', short: '-t', kind: 'switch', help: '' },
  ],
};

const parsed = (...words: string[]) => {
  const given = parseArguments(words, run);
  if (given === 'help') throw new Error('help was asked for');
  return given;
};
const problem = (...words: string[]) => {
  try {
    parsed(...words);
  } catch (error) {
    if (error instanceof SyntaxProblem) return error.message;
    throw error;
  }
  throw new Error(`${words.join(' ')} is accepted`);
};

describe('options', () => {
  test.each([['--name=v'], ['--nam', 'v'], ['-n', 'v'], ['-nv'], ['-n=v'], ['-n', 'first', '-n', 'v']])(
    '%s %s gives the name',
    (...words) => {
      expect(parsed('cmd', ...words).text('--name')).toBe('v');
    },
  );

  test('short switches cluster, and the last of a cluster may take a value', () => {
    const given = parsed('cmd', '-Wtnv');
    expect([given.has('--wait'), given.has('--tail'), given.text('--name')]).toEqual([true, true, 'v']);
    expect(problem('cmd', '-Wx')).toContain("ignored explicit argument 'x'");
    expect(problem('cmd', '--wait=yes')).toContain("argument -W/--wait: ignored explicit argument 'yes'");
  });

  test('a prefix that fits several is refused, an exact name that is a prefix of another is not', () => {
    expect(problem('cmd', '--request-', '1')).toBe(
      'ambiguous option: --request- could match --request-cpus, --request-gpus',
    );
    expect(parsed('cmd', '--tag=x').words('--tags')).toEqual(['x']);
  });

  test('lists take words up to the next option; attached they have one', () => {
    expect(parsed('cmd', '--tags', 'a', 'b', '-W').words('--tags')).toEqual(['a', 'b']);
    expect(parsed('cmd', '--tags').words('--tags')).toEqual([]);
    expect(parsed('cmd').words('--tags')).toBeUndefined();
    const ended = parsed('--tags', 'a', 'b', '--', 'cmd');
    expect([ended.words('--tags'), ended.one('command')]).toEqual([['a', 'b'], 'cmd']);
  });

  test('pairs take exactly two', () => {
    expect(parsed('cmd', '-f', 'k', 'v').words('--field')).toEqual(['k', 'v']);
    expect(problem('cmd', '-f', 'k')).toBe('argument -f/--field: expected 2 arguments');
    expect(problem('cmd', '--field=k')).toBe('argument -f/--field: expected 2 arguments');
  });

  test('integers are decimal, and may be negative', () => {
    expect(parsed('cmd', '--request-cpus', '-5').integer('--request-cpus')).toBe(-5);
    expect(problem('cmd', '--request-cpus', '0x5')).toBe("argument --request-cpus: invalid int value: '0x5'");
  });

  test('a value that looks like an option has to be attached', () => {
    expect(problem('cmd', '-n', '-hello')).toContain('expected one argument');
    expect(parsed('cmd', '-n=-hello').text('--name')).toBe('-hello');
    expect(parsed('cmd', '-n', '-x y').text('--name')).toBe('-x y');
    expect(parsed('cmd', '-a 5').text('--after_sort_key')).toBe(' 5');
  });

  test('unknown ones are named', () => {
    expect(problem('cmd', '--nonsense', '-x')).toBe('unrecognized arguments: --nonsense -x');
  });
});

describe('positionals', () => {
  test('the command is the last, also between and after options', () => {
    const given = parsed('a:b', '--request-gpus', '1', 'c:d', '-W', 'echo -x');
    expect(given.all('target_spec')).toEqual(['a:b', 'c:d']);
    expect(given.one('command')).toBe('echo -x');
  });

  test('after -- everything is one', () => {
    expect(parsed('--', '-W', '--name').all('target_spec')).toEqual(['-W']);
    expect(parsed('--', '--').one('command')).toBe('--');
  });

  test('what a list has swallowed is hinted at', () => {
    try {
      parsed('--tags', 'x', 'cmd');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        message: 'the following arguments are required: command',
        hint: expect.stringContaining('--tags takes all words') as string,
      });
    }
  });

  test('choices, integers and counts are checked', () => {
    const syntax: Syntax = {
      name: 'x',
      flags: [],
      positionals: [
        { name: 'kind', count: 'one', choices: ['text', 'bundle'], help: '' },
        { name: 'item', count: 'some', help: '' },
        { name: 'port', count: 'one', kind: 'integer', help: '' },
      ],
    };
    const given = parseArguments(['text', 'a', 'b', '7'], syntax);
    expect(given === 'help' ? [] : given.all('item')).toEqual(['a', 'b']);
    expect(() => parseArguments(['other', 'a', '7'], syntax)).toThrow(
      "argument kind: invalid choice: 'other' (choose from 'text', 'bundle')",
    );
    expect(() => parseArguments(['text', 'a', 'b'], syntax)).toThrow("argument port: invalid int value: 'b'");
    expect(() => parseArguments(['text', 'a'], syntax)).toThrow('the following arguments are required: port');
  });

  test('one that is too many is unrecognized', () => {
    const syntax: Syntax = {
      name: 'x',
      flags: [],
      positionals: [{ name: 'a', count: 'optional', help: '' }],
    };
    expect(() => parseArguments(['1', '2'], syntax)).toThrow('unrecognized arguments: 2');
  });
});

test.each([['-h'], ['cmd', '--he'], ['-Wh'], ['--request-cpus', '1', '-h']])(
  '%s asks for help',
  (...words) => {
    expect(parseArguments(words, run)).toBe('help');
  },
);

test('any words after -- come back in their order', () => {
  const words = fc.array(fc.string(), { minLength: 1 });
  fc.assert(
    fc.property(words, (given) => {
      const result = parsed('--', ...given);
      expect([...result.all('target_spec'), result.one('command')]).toEqual(given);
    }),
  );
});

test('whatever is typed is parsed, refused with a sentence, or asks for help', () => {
  const pieces = [
    '-',
    '--',
    '---',
    '-W',
    '-n',
    '-Wt',
    '--tags',
    '--request-',
    '--name=',
    '-5',
    '',
    ' ',
    '-a 5',
    '=',
    'x',
  ];
  const words = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string()));
  fc.assert(
    fc.property(words, (given) => {
      try {
        parseArguments(given, run);
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxProblem);
      }
    }),
  );
});
