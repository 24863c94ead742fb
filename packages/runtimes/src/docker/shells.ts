/** Which shell an image has: bash as promised to users, else sh. Known images are not asked again. */
import type { EngineClient } from '../engine/client.ts';
import { isNotFound } from '../engine/errors.ts';
import { RuntimeError } from '../port.ts';

const bash = '/bin/bash';
const shells = [bash, '/bin/sh'] as const;

export class Shells {
  readonly #known = new Map<string, string>();

  /** What to try for an image: what it is known to have, else bash, which nearly all have. */
  guess(image: string): string {
    return this.#known.get(image) ?? bash;
  }

  isKnown(image: string): boolean {
    return this.#known.has(image);
  }

  /**
   * Looks into a container that was created from the image and has not started.
   * @throws RuntimeError the image has no shell at all
   */
  async find(engine: EngineClient, image: string, container: string): Promise<string> {
    for (const shell of shells) {
      if (await hasPath(engine, container, shell)) {
        this.#known.set(image, shell);
        return shell;
      }
    }
    throw new RuntimeError(
      'The image has no shell (neither /bin/bash nor /bin/sh), so that no command can run in it; choose another image',
      { userError: true },
    );
  }
}

async function hasPath(engine: EngineClient, container: string, path: string): Promise<boolean> {
  try {
    await engine.statPath(container, path);
    return true;
  } catch (error) {
    if (isNotFound(error)) {
      return false;
    }
    throw error;
  }
}
