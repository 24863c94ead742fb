/** Several bundles as typed, found on the server at once and in order (cli.md §4.4, §4.5, §4.9). */
import { resolveBundles, type Bundle, type BundleInclude } from '@sheaf/client';
import { expandRanges, isUuid, parseTarget } from '@sheaf/domain';
import type { Context } from '../context.ts';
import { UsageError, valueOf } from '../usage-error.ts';
import { placeOfTarget, refuseInstance } from './target.ts';
import type { Place } from './place.ts';

/** A spec that the server resolves on one worksheet. */
interface Request {
  readonly place: Place;
  readonly spec: string;
}

/**
 * Ranges are expanded; `<worksheet>/<bundle>` and `<worksheet>//<bundle>` both name a bundle elsewhere.
 * @throws UsageError for a path inside a bundle, SheafError where one of the specs names nothing.
 */
export async function findBundles(
  context: Context,
  specs: readonly string[],
  place: Place,
  include: readonly BundleInclude[] = [],
): Promise<Bundle[]> {
  const requests = valueOf(expandRanges(specs)).map((spec) => requestFor(context, spec, place));
  const found = new Map<Request, Bundle>();
  for (const asked of new Set(requests.map((request) => request.place))) {
    const group = requests.filter((request) => request.place === asked);
    const texts = group.map(({ spec }) => spec);
    const worksheet = texts.every(isUuid) ? {} : { worksheet: await asked.uuid() };
    const bundles = await resolveBundles(asked.client, texts, { ...worksheet, include });
    group.forEach((request, index) => {
      const bundle = bundles[index];
      if (bundle !== undefined) found.set(request, bundle);
    });
  }
  return requests.flatMap((request) => found.get(request) ?? []);
}

/** Only the uuids; nothing is asked for bundles that are given by full uuid. */
export async function findUuids(context: Context, specs: readonly string[], place: Place): Promise<string[]> {
  const expanded = valueOf(expandRanges(specs));
  if (expanded.every(isUuid)) return expanded;
  return (await findBundles(context, expanded, place)).map(({ uuid }) => uuid);
}

function requestFor(context: Context, text: string, place: Place): Request {
  const target = valueOf(parseTarget(text));
  if (target.instance === undefined && target.worksheet === undefined) {
    return { place, spec: text.endsWith('/') ? text.slice(0, -1) : text };
  }
  refuseInstance(context, target, place, text);
  if (target.subpath !== undefined && target.subpath !== '') {
    throw new UsageError(`${text} names a path inside a bundle; this command takes whole bundles.`);
  }
  return { place: placeOfTarget(context, target, place), spec: target.bundle };
}
