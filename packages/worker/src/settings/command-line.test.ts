import { describe, expect, it } from 'vitest';
import { parseCommandLine } from './command-line.ts';
import { flags } from './flags.ts';
import { helpText } from './help.ts';
import { readSettings } from './read-settings.ts';

const around = { environment: {}, hostname: 'node7', pid: 4242, currentDirectory: '/here' };
const settings = (...words: string[]) => readSettings(parseCommandLine(words), around);

describe('the command line', () => {
  it('takes the last of a flag given twice', () => {
    expect(settings('--tag', 'a', '--tag=b').tag).toBe('b');
  });

  it('takes flags cut short, where only one begins like that', () => {
    expect(settings('--tag-ex', '--tag', 'x', '--exit-a', '3', '--idle=4', '--slo=2')).toMatchObject({
      tagExclusive: true,
      tag: 'x',
      exitAfterRuns: 3,
      idleSeconds: 4,
      slots: 2,
    });
    expect(() => settings('--exit')).toThrow(
      '--exit can mean --exit-when-idle, --exit-after-num-runs, --exit-on-exception: write it out.',
    );
    expect(() => settings('--max-w', '1g', '--max-i=2g')).toThrow(/--max-i can mean/);
  });

  it.each([
    [['--frobnicate'], 'There is no flag --frobnicate; --help lists those there are.'],
    [['--frobnicate=1'], 'There is no flag --frobnicate;'],
    [['-x'], 'There is no flag -x;'],
    [['run'], '"run" is not a flag; --help shows how to start the worker.'],
    [['--', '--tag', 'x'], '"--" is not a flag'],
  ])('refuses %j', (words, sentence) => {
    expect(() => settings(...words)).toThrow(sentence);
  });

  it('lets unknown flags of old scripts pass where worker.sh asks for it', () => {
    const line = parseCommandLine(
      '--skip-unknown-flags --old-flag value --other=x -z --tag a --slots 4'.split(' '),
    );

    expect(line.unknown).toEqual(['--old-flag', '--other', '-z']);
    expect(readSettings(line, around)).toMatchObject({ tag: 'a', slots: 4 });
  });
});

it('the help marks the flags of earlier workers', () => {
  const text = helpText();

  expect(text).toContain('  --slots N  (old)\n');
  expect(text).toContain('  --ws-server URL  (old)\n');
  expect(text).not.toContain('  --tag TAG  (old)');
});

it('the help names every flag, in lines that fit a terminal', () => {
  const text = helpText();

  for (const { name } of flags) expect(text).toContain(`--${name}`);
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
});
