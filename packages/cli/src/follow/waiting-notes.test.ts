import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RestClient } from '@sheaf/client';
import type { BundleChange } from '@sheaf/wire';
import { WaitingNotes } from './waiting-notes.ts';

const uuid = `0x${'a'.repeat(32)}`;

describe('somebody who waits', () => {
  let said: string[];
  let asked: string;
  let notes: WaitingNotes;
  beforeEach(() => {
    vi.useFakeTimers();
    said = [];
    asked = 'Waiting for b (running).';
    const json = async () => ({ data: change('created', asked) });
    notes = new WaitingNotes({
      client: { json } as unknown as RestClient,
      uuid,
      note: (line) => said.push(line),
    });
  });
  afterEach(() => vi.useRealTimers());

  const change = (state: string, details: string | null): BundleChange => ({
    uuid,
    version: 1,
    state,
    state_details: details,
  });

  it('is told why after a moment, and again when that changes', () => {
    notes.changed(change('staged', 'No worker.'));
    expect(said).toEqual([]);
    vi.advanceTimersByTime(2_000);
    expect(said).toEqual(['staged: No worker.']);
    notes.changed(change('staged', 'No worker.'));
    vi.advanceTimersByTime(60_000);
    notes.changed(change('staged', 'All are busy.'));
    vi.advanceTimersByTime(2_000);
    expect(said).toEqual(['staged: No worker.', 'staged: All are busy.']);
  });

  it('hears nothing of what goes on, or goes by', () => {
    notes.changed(change('staged', 'No worker.'));
    vi.advanceTimersByTime(1_999);
    notes.changed(change('starting', 'Offered.'));
    notes.changed(change('running', 'busy'));
    vi.advanceTimersByTime(60_000);
    notes.changed(change('staged', null));
    vi.advanceTimersByTime(60_000);
    notes.changed(change('staged', 'No worker.'));
    notes.stop();
    vi.advanceTimersByTime(60_000);
    expect(said).toEqual([]);
  });

  it('hears how dependencies go on, which changes nothing about the bundle itself', async () => {
    notes.changed(change('created', 'Waiting for b (staged).'));
    await vi.advanceTimersByTimeAsync(2_000);
    await vi.advanceTimersByTimeAsync(15_000);
    asked = 'Waiting for b (finalizing).';
    await vi.advanceTimersByTimeAsync(15_000);
    notes.changed(change('ready', null));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(said).toEqual([
      'created: Waiting for b (staged).',
      'created: Waiting for b (running).',
      'created: Waiting for b (finalizing).',
    ]);
  });
});
