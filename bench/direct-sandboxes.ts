/* Sandboxes with the settings of ours, made by calling bubblewrap directly. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import type { Installation } from '../tests/support/installation.ts';
import { run } from '../tests/support/programs.ts';
import type { Client, Direct } from './true-runs.ts';

export async function sandboxesOf(
  client: Client,
  image: string,
  installation: Installation,
): Promise<Direct> {
  const uuid = await client.create(image, 'sleep 600');
  const words = await eventually('the sandbox of a run', async () => commandLineNaming(`/${uuid}`));
  await client.kill(uuid);
  const own = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  const directories = new Map<string, string>();
  /** The run's own directories are gone: others take their place. */
  const replaced = (word: string): string => {
    if (!word.startsWith(installation.home)) return word;
    const directory = directories.get(word) ?? join(own, String(directories.size));
    directories.set(word, directory);
    mkdirSync(directory, { recursive: true });
    return directory;
  };
  const [program = '', ...rest] = words.slice(0, words.indexOf('/usr/bin/env')).map(replaced);
  const description = rest.indexOf('--info-fd');
  rest.splice(description, 2);
  return {
    words: 'bubblewrap itself, the same sandbox',
    async execute() {
      const { code, stderr } = await run(program, [...rest, '/bin/sh', '-c', 'true']);
      if (code !== 0) throw new Error(`bubblewrap ended with ${code}: ${stderr}`);
    },
    cleared: () => Promise.resolve(),
    close: () => Promise.resolve(rmSync(own, { recursive: true, force: true })),
  };
}

/** Words of the process that builds a sandbox with this place in it. */
function commandLineNaming(place: string): string[] | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const words = commandLine(pid);
    if (words[0]?.endsWith('bwrap') === true && words.includes(place)) return words;
  }
  return undefined;
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
