/** What the client needs under Node only. */
export { nodeTransport, type NodeTransport, type NodeTransportOptions } from './node/transport.ts';
export { proxySettings, type ProxySettings } from './node/proxy.ts';
export { InvalidJsonFileError, readJsonFile, updateJsonFile } from './node/json-file.ts';
export { fileTokenStore } from './node/file-token-store.ts';
export { CredentialsProblem, readCredentialsFile, readPasswordFile } from './node/credentials-file.ts';
export { terminalPrompt, type Prompt } from './node/prompt.ts';
export { describeFlag } from './node/flag-help.ts';
