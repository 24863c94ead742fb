/** Both engines bound the parameters of one statement; a longer list is asked for in pieces. */
const most = 5000;

export async function inChunks<Value, Row>(
  values: Iterable<Value>,
  query: (chunk: Value[]) => Promise<Row[]>,
): Promise<Row[]> {
  const distinct = [...new Set(values)];
  const rows: Row[] = [];
  for (let start = 0; start < distinct.length; start += most) {
    rows.push(...(await query(distinct.slice(start, start + most))));
  }
  return rows;
}
