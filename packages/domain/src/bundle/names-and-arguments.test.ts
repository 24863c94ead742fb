import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isName } from '../ids.ts';
import { nameProblem } from '../names.ts';
import { archiveExtensionOf, archiveExtensions, withoutArchiveExtension } from './archive-name.ts';
import { recreatingArguments } from './arguments.ts';
import { makeName, nameOfContents, runName, sanitizedName, uploadName } from './default-name.ts';
import { stateDetails } from './state-details.ts';

describe('default names', () => {
  it.each([
    [['a.txt'], 'a.txt'],
    [['a.txt', 'b.txt'], 'a.txt-b.txt'],
    [["crazy (ain't it)"], 'crazy-ain-t-it-'],
    [['100kbfile.txt'], '_100kbfile.txt'],
    [['-AmMDnVl4s8'], '_-AmMDnVl4s8'],
    [['data.tar.gz'], 'data'],
    [['bc-1.0.tar.bz2?a=b'], 'bc-1.0.tar.bz2-a-b'],
    [['averyveryveryverylongfilenameindeed.tar.gz'], 'averyveryveryve..meindeed'],
    [['2020-sales.csv'], '_2020-sales.csv'],
    [['.profile'], '_.profile'],
    [["it's (odd)"], 'it-s-odd-'],
    [[], '_'],
  ])('of an upload of %j', (names, expected) => {
    expect(uploadName(names, { pack: false })).toBe(expected);
  });

  it('keep the ending of an archive that stays packed', () => {
    expect(uploadName(['data.tar.gz'], { pack: true })).toBe('data.tar.gz');
    expect(nameOfContents('x.zip', { pack: false })).toBe('x');
  });

  it('of runs', () => {
    expect(runName('java Hello -n 3')).toBe('run-java');
    expect(runName('./run.sh a')).toBe('run-.-run.sh');
    expect(runName('b1/run b2')).toBe('run-b1-run');
    expect(runName('python main.py')).toBe('run-python');
  });

  it('of makes', () => {
    expect(makeName(['a:b', 'c:d'])).toBe('make-a-b-c-d');
    expect(makeName(['dir/file.txt'])).toBe('file.txt');
    expect(makeName(['0x12'])).toBe('0x12');
    expect(makeName([':b'])).toBe('make-b');
  });

  it('are valid and short whatever they are made of', () => {
    fc.assert(
      fc.property(
        fc.option(fc.constantFrom('run', 'make'), { nil: undefined }),
        fc.string({ unit: 'grapheme' }),
        (prefix, text) => {
          const name = sanitizedName(prefix, text);
          return isName(name) && name.length <= 32;
        },
      ),
    );
  });
});

describe('archive names', () => {
  it('are recognised in order, by case', () => {
    expect(archiveExtensions.map(({ extension }) => extension)).toEqual([
      '.tar.gz',
      '.tgz',
      '.tar.bz2',
      '.zip',
      '.gz',
      '.bz2',
    ]);
    expect(archiveExtensionOf('x.tar.gz')).toEqual({ extension: '.tar.gz', unpacksTo: 'directory' });
    expect(archiveExtensionOf('x.gz')?.unpacksTo).toBe('file');
    expect(archiveExtensionOf('x.TAR.GZ')).toBeUndefined();
    expect(archiveExtensionOf('x.tar')).toBeUndefined();
    expect(withoutArchiveExtension('a.tar.bz2')).toBe('a');
  });
});

describe('names', () => {
  it('have problems in words', () => {
    expect(nameProblem('bundle', 'a-b.c')).toBeUndefined();
    expect(nameProblem('worksheet', '')).toBe('Worksheets must have non-empty names');
    expect(nameProblem('group', '1a')).toContain('1a');
  });
});

const corpus = `0x${'1'.repeat(32)}`;
const model = `0x${'2'.repeat(32)}`;

describe('arguments that make a bundle again', () => {
  it('of a run', () => {
    expect(
      recreatingArguments({
        type: 'run',
        command: 'python t.py',
        dependencies: [
          { child_path: 'data', parent_uuid: corpus, parent_path: '' },
          { child_path: 'model', parent_uuid: model, parent_path: 'best/w.bin' },
        ],
        metadata: {
          name: 'r',
          request_time: '',
          request_cpus: 2,
          request_gpus: 0,
          request_memory: '4g',
          request_network: true,
        },
      }),
    ).toBe(
      `run data:${corpus} model:${model}/best/w.bin "python t.py" --request-cpus 2 --request-memory 4g --request-network`,
    );
  });

  it('of makes, and quotes in commands', () => {
    const make = { type: 'make', command: null, metadata: {} } as const;
    expect(
      recreatingArguments({
        ...make,
        dependencies: [{ child_path: '', parent_uuid: corpus, parent_path: 'sub' }],
      }),
    ).toBe(`make ${corpus}/sub`);
    expect(
      recreatingArguments({
        ...make,
        dependencies: [{ child_path: 'a', parent_uuid: corpus, parent_path: '' }],
      }),
    ).toBe(`make a:${corpus}`);
    expect(recreatingArguments({ type: 'run', command: 'echo "x"', dependencies: [], metadata: {} })).toBe(
      'run "echo \\"x\\""',
    );
    expect(recreatingArguments({ type: 'run', command: 'date', dependencies: [], metadata: {} })).toBe(
      'run date',
    );
    expect(
      recreatingArguments({ type: 'dataset', command: null, dependencies: [], metadata: {} }),
    ).toBeNull();
  });
});

describe('state details', () => {
  it('repeat what scheduler and worker said', () => {
    expect(stateDetails('run', 'staged', { staged_status: 'waiting' })).toBe('waiting');
    expect(stateDetails('run', 'running', { run_status: 'busy' })).toBe('busy');
    expect(stateDetails('run', 'running', {})).toBeNull();
  });

  it('explain other states, and say nothing about what does not occur', () => {
    expect(stateDetails('dataset', 'ready', {})).toMatch(/\.$/);
    expect(stateDetails('make', 'making', {})).toMatch(/\.$/);
    expect(stateDetails('program', 'ready', {})).toBe('');
    expect(stateDetails('dataset', 'making', {})).toBe('');
  });
});
