import { readFileSync } from 'node:fs';
import { inNetns, loadLibc } from '../../../src/netlink/index.ts';
import { LabHost, runInLab } from '../host.ts';
import { LabSockets } from '../sockets.ts';

/**
 * Thousands of targets that cost nothing, for probers that are watched while they ask them:
 *
 *      prober 1 eth0 ──────── to1 ┐
 *                                 ├─ farm: 198.19.0.0/16 is all its own
 *      prober 2 eth0 ──────── to2 ┘
 *
 * Of port 80 the farm's kernel answers a SYN by itself and keeps nothing (a SYN cookie), drops what follows and resets
 * whoever says goodbye, so that a probe that connects succeeds and no program has to accept it. (keepalived's close()
 * waits up to five seconds for an answer to its FIN.) Its other ports are served by whoever listens there.
 */
export class TargetFarm {
  readonly host: LabHost;
  readonly probers: readonly LabHost[];
  readonly sockets = new LabSockets();

  private constructor(host: LabHost, probers: readonly LabHost[]) {
    this.host = host;
    this.probers = probers;
  }

  /** @param options.probers hosts that see the farm, each over a wire of its own. @default 1 */
  static async layOut(options: { readonly probers?: number } = {}): Promise<TargetFarm> {
    farmsSoFar += 1;
    const prefix = `f${process.pid}-${farmsSoFar}`;
    const host = new LabHost('farm', `${prefix}-farm`);
    const probers = Array.from(
      { length: options.probers ?? 1 },
      (_, index) => new LabHost(`prober${index + 1}`, `${prefix}-prober${index + 1}`),
    );
    await ipInLab([
      ...[host, ...probers].map(({ namespace }) => `netns add ${namespace}`),
      ...probers.map(
        ({ namespace }, index) =>
          `link add eth0 netns ${namespace} type veth peer name ${wire(index)} netns ${host.namespace}`,
      ),
    ]);
    await host.ip([
      'link set lo up',
      'route add local 198.19.0.0/16 dev lo',
      ...probers.flatMap((_, index) => [
        `link set ${wire(index)} up`,
        `addr add 198.18.${index}.1/30 dev ${wire(index)}`,
      ]),
    ]);
    for (const [index, prober] of probers.entries()) {
      await prober.ip([
        'link set lo up',
        'link set eth0 up',
        `addr add 198.18.${index}.2/30 dev eth0`,
        `route add 198.19.0.0/16 via 198.18.${index}.1`,
      ]);
    }
    await host.sysctl({ 'net/ipv4/tcp_syncookies': 2 });
    const farm = new TargetFarm(host, probers);
    const rest = ['-A', 'INPUT', '-p', 'tcp', '--dport', '80'];
    await farm.#firewall([
      ...rest,
      '--tcp-flags',
      'FIN',
      'FIN',
      '-j',
      'REJECT',
      '--reject-with',
      'tcp-reset',
    ]);
    await farm.#firewall([...rest, '!', '--syn', '-j', 'DROP']);
    await farm.sockets.serve(host, 'TCP', 80);
    return farm;
  }

  /** The targets of this network get no packets any more, as if their hosts had gone dark. @param network such as 198.19.0.0/24 */
  async darken(network: string): Promise<void> {
    await this.#firewall(['-I', ...darkness(network)]);
  }

  async lighten(network: string): Promise<void> {
    await this.#firewall(['-D', ...darkness(network)]);
  }

  prober(index: number): LabHost {
    const prober = this.probers[index];
    if (prober === undefined) throw new RangeError(`the farm has no prober ${index}`);
    return prober;
  }

  /** How many SYNs to port 80 the farm has answered: what probers really did. */
  answered(): number {
    const text = inNetns(loadLibc(), this.host.netnsPath, () =>
      readFileSync('/proc/thread-self/net/netstat', 'utf8'),
    );
    const [names = [], values = []] = text
      .split('\n')
      .filter((line) => line.startsWith('TcpExt:'))
      .map((line) => line.split(' '));
    return Number(values[names.indexOf('SyncookiesSent')]);
  }

  /** From now on every wire loses this share of packets at random, in each direction. */
  async lose(percent: number): Promise<void> {
    for (const { host, device } of this.#ends()) {
      const argv = ['tc', 'qdisc', 'replace', 'dev', device, 'root'];
      // A queue of default length would lose more than it is told to when a whole batch of probes is sent at once.
      await host.check([...argv, 'netem', 'limit', '100000', 'loss', `${percent}%`]);
    }
  }

  /** Packets that wires were given since `lose` was called first, and how many of them they lost. */
  async packets(): Promise<{ readonly given: number; readonly lost: number }> {
    let sent = 0;
    let lost = 0;
    for (const { host, device } of this.#ends()) {
      const text = await host.check(['tc', '-s', 'qdisc', 'show', 'dev', device]);
      const [, packets = 0, dropped = 0] =
        /Sent \d+ bytes (\d+) pkt \(dropped (\d+)/.exec(text)?.map(Number) ?? [];
      sent += packets;
      lost += dropped;
    }
    return { given: sent + lost, lost };
  }

  async remove(): Promise<void> {
    this.sockets.close();
    for (const host of [this.host, ...this.probers]) host.killAll();
    await ipInLab([this.host, ...this.probers].map(({ namespace }) => `netns del ${namespace}`));
  }

  /** Both ends of every wire. */
  #ends(): { readonly host: LabHost; readonly device: string }[] {
    return [
      ...this.probers.map((prober) => ({ host: prober, device: 'eth0' })),
      ...this.probers.map((_, index) => ({ host: this.host, device: wire(index) })),
    ];
  }

  async #firewall(rule: readonly string[]): Promise<void> {
    await this.host.check(['iptables-legacy', '--wait', ...rule]);
  }
}

let farmsSoFar = 0;

function darkness(network: string): string[] {
  return ['INPUT', '-d', network, '-p', 'tcp', '-j', 'DROP'];
}

function wire(index: number): string {
  return `to${index + 1}`;
}

async function ipInLab(lines: readonly string[]): Promise<void> {
  const result = await runInLab(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  if (result.code !== 0) throw new Error(`ip failed in the lab: ${result.stderr}`);
}
