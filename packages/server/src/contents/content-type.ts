/** What kind of file a name promises (rest-api.md §19.2). */

const compressed = /\.(gz|tgz|bz2|xz|z)$/i;

const types: Readonly<Record<string, string>> = {
  avi: 'video/x-msvideo',
  bin: 'application/octet-stream',
  bmp: 'image/bmp',
  bz: 'application/octet-stream',
  c: 'text/plain',
  css: 'text/css',
  csv: 'text/csv',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  gif: 'image/gif',
  h: 'text/plain',
  htm: 'text/html',
  html: 'text/html',
  ico: 'image/vnd.microsoft.icon',
  ipynb: 'application/x-ipynb+json',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  mjs: 'text/javascript',
  mov: 'video/quicktime',
  mp3: 'audio/mpeg',
  mp4: 'video/mp4',
  mpeg: 'video/mpeg',
  mpg: 'video/mpeg',
  npy: 'application/octet-stream',
  npz: 'application/octet-stream',
  o: 'application/octet-stream',
  ogg: 'audio/ogg',
  parquet: 'application/octet-stream',
  pdf: 'application/pdf',
  pickle: 'application/octet-stream',
  pkl: 'application/octet-stream',
  png: 'image/png',
  ppt: 'application/vnd.ms-powerpoint',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  ps: 'application/postscript',
  pt: 'application/octet-stream',
  py: 'text/x-python',
  pyc: 'application/x-python-code',
  rtf: 'application/rtf',
  sh: 'application/x-sh',
  so: 'application/octet-stream',
  svg: 'image/svg+xml',
  tar: 'application/x-tar',
  tex: 'application/x-tex',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  tsv: 'text/tab-separated-values',
  txt: 'text/plain',
  wasm: 'application/wasm',
  wav: 'audio/x-wav',
  webm: 'video/webm',
  webp: 'image/webp',
  xhtml: 'application/xhtml+xml',
  xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  xml: 'text/xml',
  zip: 'application/zip',
};

/** `text/plain` for names that promise nothing; names of compressed files are not looked into. */
export function contentTypeOf(name: string): string {
  if (compressed.test(name)) return 'application/octet-stream';
  const dot = name.lastIndexOf('.');
  const extension = dot <= 0 ? '' : name.slice(dot + 1).toLowerCase();
  return Object.hasOwn(types, extension) ? (types[extension] ?? 'text/plain') : 'text/plain';
}
