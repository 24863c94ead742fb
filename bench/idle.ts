import { Installation } from '../tests/support/installation.ts';
import { mebibytes, type Measurement } from './measure.ts';
import { cpuSeconds, residentBytes } from './resources.ts';

const seconds = 60;

/** What an installation with nothing to do costs, after it has executed a run. */
export const idle: Measurement = {
  name: 'idle',
  async run() {
    const installation = await Installation.start('docker');
    try {
      const pids = [installation.server?.pid, installation.worker?.pid].filter((pid) => pid !== undefined);
      await new Promise((resolve) => setTimeout(resolve, 5000));
      const before = pids.map(cpuSeconds);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      const used = pids.map((pid, index) => cpuSeconds(pid) - (before[index] ?? 0));
      const share = (used.reduce((sum, one) => sum + one, 0) / seconds) * 100;
      const resident = pids.map(residentBytes);
      const total = resident.reduce((sum, one) => sum + one, 0);
      const [server, worker] = resident.map(mebibytes);
      return [
        {
          what: 'idle server + worker, resident',
          ours: `${mebibytes(total)} (${server} + ${worker})`,
          floor: `this Node without a program: ${mebibytes(residentBytes(process.pid))} (the bench itself)`,
          bound: '< 200 MB',
          holds: total < 200e6,
        },
        {
          what: `idle server + worker, CPU over ${seconds} s`,
          ours: `${share.toFixed(2)} % of a core`,
          floor: '0 %',
          bound: '< 1 %',
          holds: share < 1,
        },
      ];
    } finally {
      await installation.stop();
    }
  },
};
