/* The example pipeline, on text that every Debian has, checked against the same computation done here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  describeWith,
  pythonImage,
  requireDockerEngine,
  requireRegistry,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { root, run } from '../support/programs.ts';

const texts = ['/usr/share/dict/words', '/usr/share/common-licenses/GPL-3'];

function lettersOf(file: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const letter of readFileSync(file, 'utf8').toLowerCase()) {
    if (/\p{L}/u.test(letter)) counts[letter] = (counts[letter] ?? 0) + 1;
  }
  return counts;
}

function availableText(): string {
  for (const text of texts) {
    try {
      readFileSync(text);
      return text;
    } catch {
      continue;
    }
  }
  throw new Error(`None of ${texts.join(', ')} is here`);
}

async function expectLetters(installation: Installation, image: readonly string[]): Promise<void> {
  const text = availableText();

  const finished = await run(join(root, 'examples/letters/pipeline.sh'), [text, ...image], {
    env: { SHEAF_HOME: installation.home, CODALAB_SESSION: 'test' },
  });

  expect(finished.code, finished.stderr).toBe(0);
  expect(JSON.parse(finished.stdout)).toEqual(lettersOf(text));
}

describeWith('the letters pipeline in Docker', [requireDockerEngine, requireRegistry], () => {
  let installation: Installation;
  let registry: Registry;
  beforeAll(async () => {
    registry = await requireRegistry();
    installation = await Installation.start('docker');
  });
  afterAll(async () => {
    await installation.stop();
    await registry.stop();
  });

  it('gives what the same computation gives outside', async () => {
    await expectLetters(installation, [await pythonImage(registry)]);
  });
});

describe('the letters pipeline in the sandbox', () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await Installation.start('sandbox');
  });
  afterAll(() => installation.stop());

  it('gives what the same computation gives outside', async () => {
    await expectLetters(installation, []);
  });
});
