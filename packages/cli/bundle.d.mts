import type { Metafile } from 'esbuild';
export function bundleClient(places: { root: string; outdir: string }): Promise<Pick<Metafile, 'outputs'>>;
