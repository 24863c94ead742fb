import type { Asking } from './backlog.ts';

/** What runs have in common that qualify for the same workers, whatever has been booked. */
export interface Shape {
  readonly id: number;
  /** No worker has room for it any more in this pass: among all the owner may use, and among near ones only. */
  hopeless: { withCommon: boolean; nearOnly: boolean };
}

/** Gives equal runs one and the same shape. */
export class Shapes {
  readonly #known = new Map<string, Shape>();

  /** @param userClass equal for users with the same candidates. */
  of(asking: Asking, userClass: string): Shape {
    const key = keyOf(asking, userClass);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const shape: Shape = { id: this.#known.size, hopeless: { withCommon: false, nearOnly: false } };
    this.#known.set(key, shape);
    return shape;
  }
}

function keyOf({ request, controllers, avoid }: Asking, userClass: string): string {
  const { cpus, gpus, memory, disk, queue, imageRequested } = request;
  const plain = `${cpus} ${gpus} ${memory} ${disk} ${imageRequested}`;
  const sets =
    controllers.size + avoid.size > 0 ? [[...controllers].toSorted(), [...avoid].toSorted()] : undefined;
  if (sets === undefined && queue === '' && userClass === '') return plain;
  return JSON.stringify([plain, queue, userClass, sets]);
}
