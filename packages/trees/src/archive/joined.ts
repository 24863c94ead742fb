import { Buffer } from 'node:buffer';

/** Gathers small pieces, because each one that goes through a stream costs. */
export async function* joined(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const enough = 128 * 1024;
  let gathered: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces) {
    gathered.push(piece);
    length += piece.length;
    if (length < enough) continue;
    yield gathered.length === 1 ? piece : Buffer.concat(gathered);
    gathered = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(gathered);
}
