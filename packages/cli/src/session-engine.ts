/** What sessions need beyond everything else: WebSockets. Loaded when a session is opened. */
export { sessionConnector } from '@sheaf/client/session';
