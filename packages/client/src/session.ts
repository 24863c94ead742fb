/** Sessions in runs, under Node only. */
export { SessionChannel, type SessionHandlers } from './session/channel.ts';
export { sessionConnector, type ConnectOptions } from './session/connect.ts';
