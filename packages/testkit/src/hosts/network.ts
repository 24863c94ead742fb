/**
 * Several machines on one: each host is a network namespace, cabled to a bridge on which the server listens. What a host is cut off
 * from hears nothing of it: packets are lost, connections do not break.
 */
import { ip } from './command.ts';
import { makerOf, prefix, removeLeftovers, removeNetwork } from './leftovers.ts';

const open = new Set<Network>();
process.once('exit', () => {
  for (const network of open) network.close();
});

export class Network {
  /** On the bridge: where a server listens that all hosts reach. */
  readonly address: string;
  readonly #bridge: string;
  readonly #subnet: string;
  #hosts = 0;

  private constructor(bridge: string, subnet: string) {
    this.#bridge = bridge;
    this.#subnet = subnet;
    this.address = `${subnet}.1`;
    open.add(this);
  }

  static open(): Network {
    removeLeftovers();
    // The name of the bridge is taken or not: two test runs at once never get the same subnet.
    for (let tries = 0; tries < 100; tries += 1) {
      const [second, third] = [100 + Math.floor(Math.random() * 100), Math.floor(Math.random() * 256)];
      const subnet = `10.${second}.${third}`;
      const bridge = `${prefix}${second}x${third}`;
      if (ip('-j', 'route', 'show', 'root', `${subnet}.0/24`).trim() !== '[]') continue;
      try {
        ip('link', 'add', bridge, 'type', 'bridge');
      } catch {
        continue;
      }
      const network = new Network(bridge, subnet);
      ip('link', 'set', bridge, 'alias', makerOf(process.pid));
      ip('address', 'add', `${subnet}.1/24`, 'dev', bridge);
      ip('link', 'set', bridge, 'up');
      return network;
    }
    throw new Error('There is no free subnet for a test network');
  }

  /** @param name for people; not needed to be unique */
  addHost(name: string): Host {
    this.#hosts += 1;
    return new Host(this.#bridge, `${this.#bridge}-${this.#hosts}`, {
      name,
      cable: `${this.#bridge}h${this.#hosts}`,
      address: `${this.#subnet}.${this.#hosts + 1}`,
    });
  }

  /** Removes all hosts; end what runs on them first. */
  close(): void {
    if (open.delete(this)) removeNetwork(this.#bridge);
  }
}

export class Host {
  readonly name: string;
  readonly address: string;
  readonly #bridge: string;
  readonly #namespace: string;
  readonly #cable: string;

  constructor(
    bridge: string,
    namespace: string,
    { name, cable, address }: { name: string; cable: string; address: string },
  ) {
    this.name = name;
    this.address = address;
    this.#bridge = bridge;
    this.#namespace = namespace;
    this.#cable = cable;
    ip('netns', 'add', namespace);
    ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    this.heal();
    ip('link', 'set', cable, 'up');
    ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }

  /**
   * The words in front of a command that is to run on this host. It sees the same files and processes as everybody; not with
   * `ip netns exec`, which would hide the control groups.
   */
  get words(): readonly string[] {
    return ['nsenter', `--net=/run/netns/${this.#namespace}`];
  }

  /** From now on no packet comes or goes. */
  cut(): void {
    ip('link', 'set', this.#cable, 'nomaster');
  }

  heal(): void {
    ip('link', 'set', this.#cable, 'master', this.#bridge);
  }
}
