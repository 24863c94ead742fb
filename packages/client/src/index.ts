export type { Authentication } from './authentication.ts';
export { ConnectionError } from './connection-error.ts';
export { flatten, flattenAll, flattenOne, type Flat } from './documents.ts';
export { failureOf } from './failure.ts';
export { encodePath, encodeQuery, type Query, type QueryValue } from './query.ts';
export { RestClient, type RequestOptions, type RestClientOptions } from './rest-client.ts';
export { SignIn, type Credentials, type SignInOptions } from './sign-in.ts';
export { memoryTokenStore, type SignedIn, type TokenInfo, type TokenStore } from './token-store.ts';
export {
  isReplayable,
  type Body,
  type SizedBody,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';
export { transferPeer, type TransferPeer, type TransferPeerOptions } from './transfer-peer.ts';
export { workerProtocol, type WorkerProtocol, type WorkerReport } from './worker-protocol.ts';
export { currentUser, type User } from './resources/accounts.ts';
export {
  actOnBundles,
  awaitChange,
  createBundle,
  deleteBundles,
  fetchBundle,
  findSameResult,
  findSameRuns,
  netcat,
  resolveBundles,
  searchBundles,
  type Bundle,
  type BundleAction,
  type BundleInclude,
  type DeleteOptions,
  type GroupPermission,
  type NewBundle,
  type Placement,
  type SameResult,
  type SearchResult,
} from './resources/bundles.ts';
export {
  fileGenpaths,
  followContents,
  readContents,
  targetInfo,
  uploadContents,
  uploadFromUrl,
  type ReadOptions,
  type ResolvedTarget,
  type UploadOptions,
} from './resources/contents.ts';
export { openSession, serveSession, type Connect, type Connected } from './session/open-session.ts';
export type { SessionChannel, SessionHandlers } from './session/channel.ts';
export { fetchEvents } from './resources/events.ts';
export { fetchStatistics } from './resources/statistics.ts';
export { workersInfo } from './resources/workers.ts';
export {
  appendBundles,
  createWorksheet,
  fetchWorksheet,
  interpretTable,
  interpretWorksheet,
  resolveWorksheet,
  type Worksheet,
  type WorksheetAnswer,
  type WorksheetBlock,
  type WorksheetItem,
} from './resources/worksheets.ts';
export { serverAddress } from './server-address.ts';
