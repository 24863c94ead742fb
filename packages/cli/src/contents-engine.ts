/**
 * Hashing, archives and transfer of contents: large, and needed only to upload and download. Loaded then, as one file; nothing
 * in it may depend on the rest of the client, so that it shares no class with it that somebody tells apart.
 */
export {
  DirectoryStore,
  fetchContents,
  importArchive,
  importFile,
  oneRoundTrip,
  sendContents,
} from '@sheaf/trees';
export { placeContents } from './download/place-contents.ts';
export { hashSeveral, hashSingle, hashTree } from './upload/hash-sources.ts';
