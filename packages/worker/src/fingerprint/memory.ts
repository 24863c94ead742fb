/** How much memory the machine, or the container the worker runs in, can give. */
import { totalmem } from 'node:os';

/** Bytes. */
export function usableMemory(): number {
  const physical = totalmem();
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < physical ? constrained : physical;
}
