import { requireProgram } from '../services/packages.ts';
import { requirement } from '../services/requirement.ts';
import { SkipReason } from '../services/skip-reason.ts';
import { ip, ipIfThere } from './command.ts';
import { prefix } from './leftovers.ts';
import { Network } from './network.ts';

const service = 'network namespaces';

/** A network of its own, as root on Linux; removed by `close`, at the end of the process, or by the next one after a crash. */
export const requireNetwork = requirement<Network>(available, async () => Network.open());

async function available(): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new SkipReason(service, 'only root on Linux may make them');
  }
  await requireProgram(service, 'ip', 'iproute2');
  await requireProgram(service, 'nsenter', 'util-linux');
  const probe = `${prefix}probe-${process.pid}`;
  try {
    ip('netns', 'add', probe);
  } catch (error) {
    throw new SkipReason(service, 'this system makes none', { cause: error });
  } finally {
    ipIfThere('netns', 'delete', probe);
  }
}
