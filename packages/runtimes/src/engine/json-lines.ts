/** The engine's streams of JSON values, one after another, as used by pulls and imports. */

/** Yields each value of a stream of newline-separated JSON. @throws SyntaxError on anything else */
export async function* jsonLines(stream: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() !== '') {
        yield JSON.parse(line);
      }
    }
  }
  if (rest.trim() !== '') {
    yield JSON.parse(rest);
  }
}
