/** Amounts as Kubernetes writes them: `500m`, `2Gi`, `4`. */

const factors: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** 0 for what cannot be read: a node that says nothing understandable offers nothing. */
export function quantity(text: string | undefined): number {
  const [, number = '', suffix = ''] = /^(\d+(?:\.\d+)?(?:e\d+)?)([a-zA-Z]*)$/.exec(text ?? '') ?? [];
  const factor = factors[suffix];
  return number === '' || factor === undefined ? 0 : Number(number) * factor;
}
