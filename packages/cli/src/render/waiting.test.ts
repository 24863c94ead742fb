import { describe, expect, it } from 'vitest';
import type { Bundle } from '@sheaf/client';
import { waitingLines } from './waiting.ts';

function bundle(name: string, state: string, details: string | null, created: number): Bundle {
  const uuid = `0x${name.charCodeAt(0).toString(16).repeat(16)}`;
  return { uuid, state, state_details: details, metadata: { name, created } } as unknown as Bundle;
}

describe('lines about bundles that wait', () => {
  it('name those that wait for long, and why', () => {
    expect(
      waitingLines(
        [
          bundle('a', 'staged', 'No worker.', 90),
          bundle('b', 'staged', 'No worker.', 98),
          bundle('c', 'running', 'busy', 10),
          bundle('d', 'worker_offline', 'Gone.', 10),
          bundle('e', 'created', null, 10),
        ],
        100,
      ),
    ).toEqual(['a(0x616161) staged: No worker.', 'd(0x646464) worker_offline: Gone.']);
  });

  it('are few', () => {
    const many = Array.from({ length: 8 }, () => bundle('a', 'staged', 'No worker.', 0));
    const lines = waitingLines(many, 100);
    expect(lines).toHaveLength(6);
    expect(lines[0]).toContain('3 more bundles wait');
  });
});
