import type { ChaosSettings } from '../settings.ts';
import { clockFaults } from './clocks.ts';
import { diskFaults } from './disks.ts';
import { engineFaults } from './engines.ts';
import type { Fault } from './fault.ts';
import { lineFaults } from './lines.ts';
import { programFaults } from './programs.ts';

/** What can go wrong with an installation of this kind. */
export function faultsFor({ runtime }: Pick<ChaosSettings, 'runtime'>): readonly Fault[] {
  const everywhere = [...programFaults, ...lineFaults, ...diskFaults, ...clockFaults];
  return runtime === 'docker' ? [...everywhere, ...engineFaults] : everywhere;
}
