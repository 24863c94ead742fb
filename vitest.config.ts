import { defineConfig } from 'vitest/config';
import { LettersFirst } from './tests/support/order.ts';

// `unit`: rules beside the code. `system`: real processes and services; slower, one file at a time.
export default defineConfig({
  test: {
    sequence: { sequencer: LettersFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'chaos/**/*.test.ts'],
          isolate: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['tests/**/*.test.ts'],
          globalSetup: ['tests/support/built.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
