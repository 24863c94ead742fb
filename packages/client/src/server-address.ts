/** Base address of a server, without `/rest` and without a slash at the end; undefined where the text is none. */
export function serverAddress(text: string): string | undefined {
  const address = text
    .trim()
    .replace(/^https?:/i, (scheme) => scheme.toLowerCase())
    .replace(/\/+$/, '')
    .replace(/\/rest$/, '')
    .replace(/\/+$/, '');
  const isOne = /^https?:\/\/[^/?#@\s]+(?:\/[^?#\s]*)?$/.test(address) && URL.canParse(address);
  return isOne ? address : undefined;
}
