/* Bundles documents: resources and what was asked to be included (rest-api.md §11). */
import type { Query } from '../http/query.ts';
import type { Viewer } from '../http/viewer.ts';
import { bundleIncludes, includeWithBundles, type BundleInclude, type IncludedResource } from './include.ts';
import { bundleResource, type BundleResource } from './resource.ts';
import type { BundleRow } from './transition.ts';
import { viewBundles, type Showing } from './view.ts';

export interface FetchOptions {
  include: ReadonlySet<BundleInclude>;
  withDisplayMetadata: boolean;
}

export interface BundleDocument {
  data: BundleResource[];
  included?: IncludedResource[];
}

export const plainFetch: FetchOptions = { include: new Set(), withDisplayMetadata: false };

/** @throws SheafError `invalid-request` for an unknown `include` */
export function fetchOptions(query: Query): FetchOptions {
  return {
    include: query.include(bundleIncludes),
    withDisplayMetadata: query.flag('include_display_metadata', false),
  };
}

/** A document of the given bundles, in their order, duplicates kept. */
export async function bundlesDocument(
  showing: Showing,
  viewer: Viewer,
  rows: readonly BundleRow[],
  options: FetchOptions,
): Promise<BundleDocument> {
  const distinct = [...new Map(rows.map((row) => [row.uuid, row])).values()];
  const bundles = (await viewBundles(showing, viewer, distinct)).map((view) => ({
    view,
    resource: bundleResource(view, options),
  }));
  const included = await includeWithBundles(showing.database.queries, viewer, bundles, options.include);
  const byUuid = new Map(bundles.map(({ view, resource }) => [view.row.uuid, resource]));
  const data = rows.map((row) => byUuid.get(row.uuid)).filter((resource) => resource !== undefined);
  return options.include.size === 0 ? { data } : { data, included };
}
