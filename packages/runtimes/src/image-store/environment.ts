/** The environment of a command in an image. */
import type { RunSpecification } from '../port.ts';

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The image's, and on top of it the run's. @param image `NAME=value` */
export function runEnvironment(
  image: readonly string[],
  run: Pick<RunSpecification, 'uuid' | 'environment'>,
): Record<string, string> {
  const pairs = image.map((pair): [string, string] => {
    const [name = ''] = pair.split('=', 1);
    return [name, pair.slice(name.length + 1)];
  });
  return {
    PATH: path,
    ...Object.fromEntries(pairs),
    ...run.environment,
    HOME: `/${run.uuid}`,
    CODALAB: 'true',
  };
}
