/* The same tests in a sandbox and in containers, each time with an installation of its own. */
import {
  describeWith,
  pythonImage,
  requireDockerEngine,
  requireRegistry,
  type Registry,
} from '@sheaf/testkit';
import { afterAll, beforeAll, describe } from 'vitest';
import { Installation } from './installation.ts';

export interface Place {
  readonly installation: Installation;
  /** What a run is started with, so that it executes there. */
  readonly flags: readonly string[];
}

/** @param tests defines them; the place is there once they run */
export function describeInSandbox(title: string, tests: (place: () => Place) => void): void {
  describe(title, () => {
    let installation: Installation;
    beforeAll(async () => {
      installation = await Installation.start('sandbox');
    });
    afterAll(() => installation.stop());

    tests(() => ({ installation, flags: [] }));
  });
}

/** With an image that comes from a registry of their own. @param tests defines them; the place is there once they run */
export function describeInContainers(title: string, tests: (place: () => Place) => void): void {
  describeWith(title, [requireDockerEngine, requireRegistry], () => {
    let installation: Installation;
    let registry: Registry;
    let image: string;
    beforeAll(async () => {
      registry = await requireRegistry();
      image = await pythonImage(registry);
      installation = await Installation.start('docker');
    });
    afterAll(async () => {
      await installation.stop();
      await registry.stop();
    });

    tests(() => ({ installation, flags: ['--request-docker-image', image] }));
  });
}
