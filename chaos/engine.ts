/** The container engine of one worker. */
import { PrivateEngine, type Host } from '@sheaf/testkit';

export class Engine {
  readonly name: string;
  readonly #engine: PrivateEngine;
  readonly #liveRestore: boolean;
  #turn: Promise<void> = Promise.resolve();

  private constructor(name: string, engine: PrivateEngine, liveRestore: boolean) {
    this.name = name;
    this.#engine = engine;
    this.#liveRestore = liveRestore;
  }

  /**
   * @param archive of the root file system of the only image
   * @param options.liveRestore containers outlive the engine
   */
  static async open(
    host: Host,
    archive: string,
    options: { readonly name: string; readonly liveRestore: boolean },
  ): Promise<Engine> {
    const own = await PrivateEngine.start(host);
    const engine = new Engine(options.name, own, options.liveRestore);
    if (options.liveRestore) {
      await own.stop();
      await engine.start();
    }
    const [repository = '', tag = ''] = image.split(':');
    await own.importImage(archive, repository, tag);
    return engine;
  }

  get address(): string {
    return this.#engine.address;
  }

  async start(): Promise<void> {
    await this.#engine.start({ liveRestore: this.#liveRestore });
  }

  /** What is done to an engine is done one after the other: one that starts cannot be killed before it has. */
  inTurn(work: (engine: PrivateEngine) => Promise<void>): Promise<void> {
    const done = this.#turn.then(() => work(this.#engine));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#engine.close();
  }
}

/** The only image there is. */
export const image = 'sheaf-chaos/shell:1';
