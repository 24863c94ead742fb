/** What commands work with: the two streams, the user's files, the session and connections to servers. Made when needed. */
import { RestClient, SignIn } from '@sheaf/client';
import { fileTokenStore, nodeTransport, proxySettings, type NodeTransport } from '@sheaf/client/node';
import { hostname } from 'node:os';
import { readConfig, type Config } from './configuration/config.ts';
import { findCredentials } from './configuration/credentials.ts';
import { localServerAddress, standardAddress } from './configuration/local-server.ts';
import { placesOf, type Environment, type Places } from './configuration/places.ts';
import { isAlive, lookAtProcess } from './configuration/processes.ts';
import { sessionName } from './configuration/session-name.ts';
import { readSession, writeSession, type Session } from './configuration/state.ts';
import type { Interrupts } from './interrupts.ts';
import type { Output } from './output.ts';

export interface ContextOptions {
  readonly environment: Environment;
  readonly output: Output;
  readonly diagnostics: Output;
  readonly interrupts: Interrupts;
}

export class Context {
  readonly environment: Environment;
  readonly places: Places;
  readonly interrupts: Interrupts;
  readonly #output: Output;
  readonly #diagnostics: Output;
  readonly #clients = new Map<string, RestClient>();
  #config: Config | undefined;
  #sessionName: string | undefined;
  #session: Session | undefined;
  #transport: NodeTransport | undefined;

  constructor(options: ContextOptions) {
    this.environment = options.environment;
    this.places = placesOf(options.environment);
    this.interrupts = options.interrupts;
    this.#output = options.output;
    this.#diagnostics = options.diagnostics;
  }

  /** A line of results, on stdout. */
  print(line: string): void {
    this.#output.write(`${line}\n`);
  }

  /** Bytes or text as they are, on stdout. */
  write(chunk: string | Uint8Array): void {
    this.#output.write(chunk);
  }

  /** A line for people, on stderr. */
  note(line: string): void {
    this.#diagnostics.write(`${line}\n`);
  }

  /** Text as it is, on stderr. */
  writeNote(text: string): void {
    this.#diagnostics.write(text);
  }

  get config(): Config {
    this.#config ??= readConfig(this.places.config);
    return this.#config;
  }

  get sessionName(): string {
    this.#sessionName ??= this.environment['CODALAB_SESSION'] || sessionName(process.ppid, lookAtProcess);
    return this.#sessionName;
  }

  get session(): Session {
    this.#session ??= readSession(this.places.state, this.sessionName) ?? {
      address: this.defaultAddress,
      worksheet_uuid: this.config.defaultWorksheet,
    };
    return this.#session;
  }

  /** The configured server; without one the server of this machine. */
  get defaultAddress(): string {
    return this.config.defaultAddress ?? localServerAddress(this.places) ?? standardAddress;
  }

  /** Goes to a worksheet, for this and later commands of the session. */
  async switchTo(session: Session): Promise<void> {
    await writeSession(this.places.state, this.sessionName, session, { hostname: hostname(), isAlive });
    this.#session = session;
  }

  /** The address behind an alias; an address stands for itself. */
  addressOf(instance: string): string {
    return this.config.aliases[instance] ?? instance;
  }

  /** The client for an address; the session's where none is given. */
  client(address: string = this.session.address): RestClient {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    const client = this.#connect(address);
    this.#clients.set(address, client);
    return client;
  }

  #connect(address: string): RestClient {
    const proxy = proxySettings(this.environment);
    this.#transport ??= nodeTransport({ brief: true, ...(proxy === undefined ? {} : { proxy }) });
    const transport = this.#transport;
    const extraHeaders = this.config.extraHeaders[address] ?? {};
    const authentication = new SignIn({
      address,
      transport,
      extraHeaders,
      store: fileTokenStore(this.places.state),
      now: Date.now,
      credentials: () =>
        findCredentials(address, this.environment, this.places, async () => {
          const { terminalPrompt } = await import('./configuration/terminal-prompt.ts');
          return terminalPrompt();
        }),
    });
    const seconds = Number(this.environment['CODALAB_URLOPEN_TIMEOUT_SECONDS'] || 300);
    const idleTimeout = (Number.isFinite(seconds) && seconds > 0 ? seconds : 300) * 1000;
    return new RestClient({ address, transport, authentication, extraHeaders, idleTimeout });
  }

  /** Lets the process end: idle connections would keep it. */
  close(): void {
    this.#transport?.close();
  }
}
