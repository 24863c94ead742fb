/* An installation whose only worker is on a host of its own, with a container engine that nobody else uses. */
import { PrivateEngine, requireNetwork, type Network } from '@sheaf/testkit';
import { Installation } from './installation.ts';
import { WorkerMachine } from './worker-machine.ts';

export class EngineHost {
  readonly network: Network;
  readonly engine: PrivateEngine;
  readonly installation: Installation;
  readonly worker: WorkerMachine;
  /** The only image there is. */
  readonly image: string;

  private constructor(parts: Pick<EngineHost, 'network' | 'engine' | 'installation' | 'worker' | 'image'>) {
    this.network = parts.network;
    this.engine = parts.engine;
    this.installation = parts.installation;
    this.worker = parts.worker;
    this.image = parts.image;
  }

  /** @param archive of the root filesystem of the image */
  static async start(id: string, archive: string): Promise<EngineHost> {
    const network = await requireNetwork();
    const host = network.addHost(id);
    const engine = await PrivateEngine.start(host);
    const repository = `sheaf-test/${id}`;
    await engine.importImage(archive, repository, '1');
    const installation = new Installation('docker', { SHEAF_HOST: network.address });
    await installation.startServer();
    const environment = { DOCKER_HOST: engine.address };
    const worker = await WorkerMachine.start(installation, { id, host, environment });
    return new EngineHost({ network, engine, installation, worker, image: `${repository}:1` });
  }

  /** Submits a run of the command, and waits until it runs. */
  async running(command: string): Promise<string> {
    const uuid = await this.installation.ok('run', command, '--request-docker-image', this.image);
    await this.installation.inState(uuid, 'running');
    return uuid;
  }

  async stop(): Promise<void> {
    await this.worker.end();
    await this.installation.stop();
    await this.engine.close();
    this.network.close();
  }
}
