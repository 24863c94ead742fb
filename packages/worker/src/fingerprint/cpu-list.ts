/** Lists of processors as the kernel writes them: `0-3,8`. */

/** @throws RangeError on anything else */
export function parseCpuList(text: string): number[] {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  return trimmed.split(',').flatMap((part) => {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (range === null) throw new RangeError(`not a list of processors: ${text}`);
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (last < first) throw new RangeError(`not a range of processors: ${part}`);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
