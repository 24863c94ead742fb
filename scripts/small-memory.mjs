/**
 * How Node is started for server and worker, so that they stay small while gigabytes stream through them. Buffers that have passed are
 * freed when the young generation is collected; left to itself it grows to 48 MB and is collected so rarely that they pile up. glibc
 * would keep an arena for each thread. Measured with a long stream up: 192 MiB resident without, 138 MiB with both and 2 MB, 154 MiB with
 * 8 MB. With 2 MB, a server with 300 busy workers spent a quarter of its time on collecting; with 8 MB and 1,000 workers an eighth.
 * The server therefore begins with 8 MB and grows where it has many workers (packages/server/src/memory.ts).
 */
export const smallMemory = {
  /** @param {string} program `server`, or another one */
  flags: (program) =>
    program === 'server'
      ? ['--min-semi-space-size=8', '--max-semi-space-size=32', '--semi-space-growth-factor=1']
      : ['--max-semi-space-size=8'],
  environment: { MALLOC_ARENA_MAX: '2' },
};
