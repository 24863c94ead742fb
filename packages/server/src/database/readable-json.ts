/** Undefined where the text is no JSON; for columns whose loss can be got over. */
export function readableJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
