/** Targets as typed, found on the server: a bundle, and a path inside it (cli.md §4.6, §4.9). */
import { resolveBundles, type Bundle, type RestClient } from '@sheaf/client';
import { isUuid, parseTarget, type TargetSpec } from '@sheaf/domain';
import { SheafError } from '@sheaf/wire';
import type { Context } from '../context.ts';
import { UsageError, valueOf } from '../usage-error.ts';
import { placeOn, type Place } from './place.ts';

export interface FoundTarget {
  readonly client: RestClient;
  readonly uuid: string;
  readonly subpath: string;
  /** What the look-up has told about the bundle; undefined for a full uuid, which needs none. */
  readonly bundle: Bundle | undefined;
}

/**
 * Finds `[<instance>::][<worksheet>//]<bundle>[/<subpath>]`. Where no bundle of that name is on the worksheet,
 * `<worksheet>/<bundle>` is tried, too.
 */
export async function findTarget(context: Context, text: string, place: Place): Promise<FoundTarget> {
  const target = valueOf(parseTarget(text));
  const where = placeOfTarget(context, target, place);
  const subpath = target.subpath ?? '';
  if (isUuid(target.bundle)) return { client: where.client, uuid: target.bundle, subpath, bundle: undefined };
  try {
    return { ...(await findBundle(where, target.bundle)), subpath };
  } catch (error) {
    const mayBeWorksheet = target.worksheet === undefined && subpath !== '';
    if (!(error instanceof SheafError) || error.code !== 'not-found' || !mayBeWorksheet) throw error;
    return (await inWorksheet(where, target.bundle, subpath)) ?? Promise.reject(error);
  }
}

/** `<worksheet>/<bundle>[/<subpath>]`; undefined where that names nothing either. */
async function inWorksheet(place: Place, worksheet: string, rest: string): Promise<FoundTarget | undefined> {
  const [bundle = '', ...path] = rest.split('/');
  try {
    return { ...(await findBundle(place, `${worksheet}/${bundle}`)), subpath: path.join('/') };
  } catch (error) {
    if (error instanceof SheafError && error.status < 500) return undefined;
    throw error;
  }
}

async function findBundle(place: Place, spec: string): Promise<Omit<FoundTarget, 'subpath'>> {
  const [bundle] = await resolveBundles(place.client, [spec], { worksheet: await place.uuid() });
  if (bundle === undefined) throw new SheafError('not-found', `There is no bundle ${spec}.`);
  return { client: place.client, uuid: bundle.uuid, bundle };
}

/** The worksheet a target names, else the command's. Each target stands for itself: none changes the next one's worksheet. */
export function placeOfTarget(context: Context, target: TargetSpec, place: Place): Place {
  if (target.instance === undefined && target.worksheet === undefined) return place;
  const client =
    target.instance === undefined ? place.client : context.client(context.addressOf(target.instance));
  return placeOn(client, target.worksheet ?? '');
}

/** The same worksheet spec of another server makes no sense where the command acts on its own. @throws UsageError */
export function refuseInstance(context: Context, target: TargetSpec, place: Place, text: string): void {
  if (target.instance === undefined || context.addressOf(target.instance) === place.client.address) return;
  throw new UsageError(
    `${text} is on another server than the one this command works on (${place.client.address}).`,
    `Name a worksheet there with -w ${target.instance}::<worksheet>.`,
  );
}
