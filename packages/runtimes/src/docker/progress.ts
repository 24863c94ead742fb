/** One line of words for the many layers of a pull (execution §19). */
import { formatSize } from '@sheaf/domain';
import type { StreamLine } from '../engine/schema.ts';

interface Layer {
  current: number;
  total: number;
}

/** Adds up the engine's reports by layer. `total` grows while layers are discovered. */
export class PullProgress {
  readonly #downloading = new Map<string, Layer>();
  readonly #extracting = new Map<string, Layer>();
  #downloaded = false;

  /** Answers the words to show, or undefined when the line changes nothing worth showing. */
  add(line: StreamLine): string | undefined {
    const layer = line.id;
    if (layer === undefined) {
      return undefined;
    }
    if (line.status === 'Downloading') {
      record(this.#downloading, layer, line);
      return describe('Downloading', this.#downloading);
    }
    if (line.status === 'Extracting') {
      record(this.#extracting, layer, line);
      return describe('Extracting', this.#extracting);
    }
    if (line.status === 'Download complete' || line.status === 'Pull complete') {
      this.#downloaded = true;
      complete(line.status === 'Download complete' ? this.#downloading : this.#extracting, layer);
    }
    return undefined;
  }

  /** Whether anything came that was not here. */
  get downloaded(): boolean {
    return this.#downloaded;
  }

  /** Bytes of all layers that are (or were) to be downloaded, as far as known. */
  get downloadSize(): number {
    return sum(this.#downloading, 'total');
  }
}

function record(layers: Map<string, Layer>, id: string, line: StreamLine): void {
  const current = line.progressDetail?.current ?? 0;
  layers.set(id, { current, total: Math.max(line.progressDetail?.total ?? 0, current) });
}

function complete(layers: Map<string, Layer>, id: string): void {
  const layer = layers.get(id);
  if (layer) {
    layer.current = layer.total;
  }
}

function describe(verb: string, layers: Map<string, Layer>): string {
  const current = sum(layers, 'current');
  const total = sum(layers, 'total');
  const percent = total === 0 ? 0 : Math.floor((100 * current) / total);
  const [done, all] = [current, total].map((bytes) => formatSize(bytes, { withBytes: true }));
  return `${verb} ${done}/${all} (${percent}% done)`;
}

function sum(layers: Map<string, Layer>, key: keyof Layer): number {
  let result = 0;
  for (const layer of layers.values()) {
    result += layer[key];
  }
  return result;
}
