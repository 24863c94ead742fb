/**
 * The `Content-Disposition` header. Plain names stand in the plain form that original clients read; others are escaped and given
 * a second time as RFC 5987 says (rest-api.md §19.2).
 */
export function contentDisposition(kind: 'inline' | 'attachment', name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]/g, '_').replaceAll(/(["\\])/g, '\\$1');
  const header = `${kind}; filename="${plain}"`;
  return /^[\x20-\x7e]*$/.test(name) && !/["\\]/.test(name)
    ? header
    : `${header}; filename*=UTF-8''${percentEncoded(name)}`;
}

function percentEncoded(name: string): string {
  return encodeURIComponent(name.replaceAll(/\p{Surrogate}/gu, '\ufffd')).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
