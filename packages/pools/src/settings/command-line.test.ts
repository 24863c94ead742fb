import { describe, expect, it } from 'vitest';
import { typeFlags } from '../open-pool.ts';
import { parseCommandLine } from './command-line.ts';
import { readSettings } from './settings.ts';
import { workerWords } from './worker-command.ts';

const parse = (text: string) => parseCommandLine(text.split(' '), typeFlags);

describe('command lines', () => {
  it('of the original program are understood', () => {
    const line = parse(
      '--server https://example.org/ --temp-session --verbose --min-workers 0 --max-workers=4 --search request_gpus=0 .mine --worker-tag kubernetes --worker-idle-seconds 60 slurm-batch --partition jag --gpus 2 --cpus 3 --user me --exit-after-num-failed 5',
    );

    expect(line.type).toBe('slurm-batch');
    expect(line.values('search')).toEqual(['request_gpus=0', '.mine']);
    expect(line.value('gpus')).toBe('2');
    expect(line.value('account')).toBe('nlp');
    expect(readSettings(line)).toMatchObject({
      server: 'https://example.org',
      minimum: 0,
      maximum: 4,
      sleepSeconds: 5,
      startPauseSeconds: 60,
      worker: { tag: 'kubernetes', idleSeconds: 60 },
    });
  });

  it('may cut flags short, and end a list of terms with the kind of pool', () => {
    const line = parse('--search a b slurm-batch --part x');

    expect(line.type).toBe('slurm-batch');
    expect(line.values('search')).toEqual(['a', 'b']);
    expect(line.value('partition')).toBe('x');
  });

  it.each([
    ['--verbose', /Say what shall start the workers: .*slurm-batch/],
    ['slurm-batch', /slurm-batch needs --partition NAME/],
    ['slurm-batch --partition', /--partition needs a value/],
    ['slurm-batch --partition x --frobnicate', /There is no flag --frobnicate/],
    ['slurm-batch --partition x --worker-ta y', /can mean --worker-tag, --worker-tag-exclusive/],
    ['slurm --partition x', /"slurm" is neither a flag nor a kind of pool/],
    ['slurm-batch --partition x --once=yes', /--once takes no value/],
  ])('%s is refused in words', (text, sentence) => {
    expect(() => parse(text)).toThrow(sentence);
  });

  it.each([
    ['--min-workers 3 --max-workers 2', /--min-workers 3 is more than --max-workers 2/],
    ['--worker-tag a_b', /letters, digits and hyphens/],
    ['--sleep-time soon', /--sleep-time soon: write a number of seconds/],
    ['--restart-after-seconds 0', /write a number of seconds, at least 0.1/],
    ['--server localhost', /is not the address of a server/],
    ['--worker-max-work-dir-size much', /write a size such as/],
  ])('values that cannot be: %s', (text, sentence) => {
    expect(() => readSettings(parse(`${text} slurm-batch --partition x`))).toThrow(sentence);
  });
});

it('workers are called with the flags of the original program, in its order', () => {
  const settings = readSettings(
    parse(
      '--server http://s --worker-tag t --worker-tag-exclusive --worker-group g --worker-exit-after-num-runs 2 --worker-max-work-dir-size 5g --worker-delete-work-dir-on-exit --worker-exit-on-exception --worker-pass-down-termination --worker-checkin-frequency-seconds 9 --worker-shared-memory-size-gb 3 --worker-preemptible slurm-batch --partition x',
    ),
  );

  expect(workerWords(settings, { workerId: 'w', workDirectory: '/d', more: ['--last'] }).join(' ')).toBe(
    'cl-worker --server http://s --verbose --exit-when-idle --idle-seconds 600 --work-dir /d --id host-w --network-prefix cl_worker_w_network --tag t --group g --exit-after-num-runs 2 --download-dependencies-max-retries 3 --max-work-dir-size 5g --delete-work-dir-on-exit --exit-on-exception --tag-exclusive --pass-down-termination --checkin-frequency-seconds 9 --shared-memory-size-gb 3 --preemptible --last',
  );
});
