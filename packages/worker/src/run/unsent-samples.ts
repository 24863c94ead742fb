/** The samples of a run that the server has not got yet. While it is away they become coarser, not more. */
import { appendSamples, bounded, type UsageSample, type UsageSeries } from '@sheaf/domain';

const most = 200;

export class UnsentSamples {
  #series: UsageSeries | undefined;

  get all(): readonly UsageSample[] {
    return this.#series?.points ?? [];
  }

  add(sample: UsageSample): void {
    const grown = appendSamples(this.#series, [sample]);
    this.#series = grown && bounded(grown, most);
  }

  /** The server has everything up to this moment, in milliseconds since the epoch. */
  delivered(until: number): void {
    const left = this.all.filter(({ at }) => at > until);
    this.#series =
      left.length === 0 || this.#series === undefined ? undefined : { ...this.#series, points: left };
  }
}
