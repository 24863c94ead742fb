import { createBundle, fetchBundle, type RestClient } from '@sheaf/client';
import { isName, makeName, parseKeyedTarget, pathComponents, sanitizedName } from '@sheaf/domain';
import { worksheetFlag } from '../arguments/specification.ts';
import type { Command } from '../command.ts';
import { metadataFlags, metadataOf } from '../metadata-flags.ts';
import { findStore } from '../targets/bundle-store.ts';
import { resolveDependencies, type Dependency } from '../targets/dependencies.ts';
import { placeOf } from '../targets/place.ts';
import { valueOf } from '../usage-error.ts';

export const command: Command = {
  description: [
    'Make a bundle out of parts of others, on the server. Prints its uuid, and does not wait.',
    'One target without key: the new bundle is what the target is. Targets with keys: a directory with one entry for each;',
    'a key may be a path, `a/b`.',
  ].join('\n'),
  positionals: [{ name: 'target_spec', count: 'some', help: '[<key>:][<worksheet>//]<bundle>[/<path>].' }],
  flags: [
    worksheetFlag,
    ...metadataFlags('make'),
    { long: '--edit', short: '-e', kind: 'switch', help: 'Accepted for older scripts; has no effect.' },
  ],
  examples: [
    ['cl make results/model.bin -n model', 'one file of a run as a bundle of its own'],
    ['cl make train:corpus/train.txt test:other/test.txt -n split', 'a directory of parts'],
  ],
  async run(given, context) {
    const place = placeOf(context, given.text('--worksheet-spec'));
    const targets = given.all('target_spec');
    const typed = targets.map((text) => {
      const { key } = valueOf(parseKeyedTarget(text));
      return { key: key ?? '', target: key === undefined ? text : text.slice(key.length + 1) };
    });
    const dependencies = await resolveDependencies(context, 'make', typed, place);
    const store = given.text('--store') ?? '';
    const bundle_store = store === '' ? undefined : await findStore(place.client, store);
    const name = given.text('--name') ?? (await defaultName(place.client, targets, dependencies));
    const metadata = metadataOf('make', given, name);
    const { uuid } = await createBundle(
      place.client,
      { bundle_type: 'make', metadata, dependencies },
      { worksheet: await place.uuid(), bundle_store },
    );
    context.print(uuid);
    return 0;
  },
};

/** What a lone uuid or `name^2` is typed as is no name: the bundle has one, and so has a path in it. */
async function defaultName(
  client: RestClient,
  targets: readonly string[],
  dependencies: readonly Dependency[],
): Promise<string> {
  const name = makeName(targets);
  const [only] = dependencies;
  if (isName(name) || only === undefined) return name;
  const inside = pathComponents(only.parent_path).at(-1);
  const found = inside ?? (await fetchBundle(client, only.parent_uuid)).metadata['name'];
  return typeof found === 'string' && isName(found) ? found : sanitizedName(undefined, String(found));
}
