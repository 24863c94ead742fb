import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runMessageFor } from '../testing/run-message.ts';
import { newRecord } from './record.ts';
import { UnsentSamples } from './unsent-samples.ts';
import { UsageMeter } from './usage-meter.ts';

const start = 1_700_000_000_000;

function meterOf({ adopted = false } = {}) {
  const record = newRecord(runMessageFor(), start);
  record.startedAt = start;
  return { record, meter: new UsageMeter(record, { adopted }) };
}

function reading(cpu: number, memory = 100, memoryMax = memory) {
  return { cpuUser: cpu, cpuSystem: 0, memory, memoryMax };
}

describe('the meter of a run', () => {
  it('tells cores from the start on', () => {
    const { meter } = meterOf();
    meter.read(reading(1), start + 500);
    expect(meter.cores).toBe(2);
    expect(meter.sample(start + 500).cpu).toBe(2);

    meter.read(reading(1.5), start + 1500);

    expect(meter.cores).toBe(0.5);
    expect(meter.sample(start + 1500)).toEqual({
      at: start + 1500,
      cpu: 0.5,
      memory: 100,
      disk: 0,
      user: 1.5,
      system: 0,
    });
  });

  it('knows of a command that ended unseen what it used', () => {
    const { record, meter } = meterOf();

    meter.end(reading(0.08, 5, 4096), start + 40);

    expect(meter).toMatchObject({ cores: 2, memory: 4096 });
    expect(meter.sample(start + 40)).toMatchObject({ cpu: 2, memory: 4096, user: 0.08 });
    expect(record.usage).toMatchObject({ cpuUser: 0.08, memoryMax: 4096 });
  });

  it('leaves what was in use last as it was when the command ends', () => {
    const { meter } = meterOf();
    meter.read(reading(1, 700), start + 1000);
    meter.sample(start + 1000);

    meter.end(reading(3, 5, 900), start + 2000);

    expect(meter).toMatchObject({ cores: 1, memory: 700 });
    expect(meter.sample(start + 2000)).toMatchObject({ cpu: 2, memory: 700, user: 3 });
  });

  it('does not count the time before a restart of the worker as its own', () => {
    const { meter } = meterOf({ adopted: true });

    meter.read(reading(1000), start + 2_000_000);
    expect(meter.sample(start + 2_000_000).cpu).toBeNull();
    meter.read(reading(1002), start + 2_001_000);

    expect(meter.sample(start + 2_001_000).cpu).toBe(2);
  });

  it('never goes back, whatever is read', () => {
    const numbers = fc.array(fc.tuple(fc.nat(1000), fc.nat(5000), fc.integer({ min: -2000, max: 5000 })));
    fc.assert(
      fc.property(numbers, (readings) => {
        const { record, meter } = meterOf();
        let now = start;
        let before = { at: 0, user: 0, memoryMax: 0 };
        for (const [cpu, memory, step] of readings) {
          now += step;
          meter.read(reading(cpu, memory), now);
          const { at, user, cpu: cores } = meter.sample(now);
          expect(at).toBeGreaterThan(before.at);
          expect(user).toBeGreaterThanOrEqual(before.user);
          expect(cores ?? 0).toBeGreaterThanOrEqual(0);
          expect(record.usage.memoryMax).toBeGreaterThanOrEqual(before.memoryMax);
          before = { at, user: user ?? 0, memoryMax: record.usage.memoryMax };
        }
      }),
    );
  });
});

describe('samples that the server has not got', () => {
  const sample = (second: number) => ({
    at: start + second * 1000,
    cpu: 1,
    memory: second,
    disk: 0,
    user: second,
    system: 0,
  });

  it('are few however long it is away, and end with the newest', () => {
    const samples = new UnsentSamples();
    for (let second = 0; second < 100_000; second += 1) samples.add(sample(second));

    expect(samples.all.length).toBeLessThanOrEqual(200);
    expect(samples.all[0]).toEqual(sample(0));
    expect(samples.all.at(-1)).toMatchObject({ at: sample(99_999).at, memory: 99_999 });
  });

  it('are forgotten when it has them, but not those that came meanwhile', () => {
    const samples = new UnsentSamples();
    samples.add(sample(1));
    samples.add(sample(2));
    const sent = samples.all.at(-1)?.at ?? 0;
    samples.add(sample(3));

    samples.delivered(sent);
    expect(samples.all).toEqual([sample(3)]);
    samples.delivered(sample(3).at);
    expect(samples.all).toEqual([]);
    samples.add(sample(4));
    expect(samples.all).toEqual([sample(4)]);
  });
});
