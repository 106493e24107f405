/**
 * A controller with VirtualServices whose weights follow the load, on a clock that the test moves: a director that counts
 * connections, and a Prometheus or a metrics-server that says of each VirtualService what the test wants. Minutes take
 * seconds, and everything between goes over sockets and an API server.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeType, podType, realServerSliceType } from '../../src/cluster/index.ts';
import { allMetrics } from '../../src/controller/index.ts';
import type { KubeRequest } from '../../src/kube/index.ts';
import { Metrics } from '../../src/metrics/index.ts';
import type { Environment } from '../apiserver/environment.ts';
import { FakeTime } from '../kube/fake-time.ts';
import { ClusterRig } from './cluster-rig.ts';
import { CountingDirector } from './counting-director.ts';

/** What a source says of one server, from a moment on; undefined: nothing. */
export interface Said {
  readonly value: string;
  readonly timestampMs: number;
}

export type Distortion = (truth: Said) => readonly Said[];

/** The window of every sample. */
export const windowMs = 15_000;
/** Connections a second of every server. */
const perSecond = 20;
/** The first server of each pool does the same with half of its CPU. */
const utilisations = [0.25, 0.5];

export class LoadedPools {
  readonly rig: ClusterRig;
  readonly time = new FakeTime();
  readonly director = new CountingDirector('a');
  readonly metrics = new Metrics(allMetrics);
  /** Writes of the controller to slices and to statuses of RealServers, with the second in which they came. */
  readonly writes: { readonly second: number; readonly request: KubeRequest }[] = [];
  /** By VirtualService; without one, what is true is said. */
  readonly distortions = new Map<string, Distortion>();
  /** VirtualServices for which the Prometheus fails. */
  readonly down = new Set<string>();
  /** Called before time passes. */
  onPass = (): void => {};
  readonly #pools = new Map<string, readonly string[]>();
  readonly #prometheus = createServer((request, response) => this.#answer(request, response));
  #nextAddress = 1;

  constructor(environment: Environment) {
    this.rig = new ClusterRig(environment);
    this.director.monotonicMs = () => this.time.monotonicMs();
  }

  async open(): Promise<void> {
    const { rig, director, time } = this;
    const endpoint = { port: await director.listen(), certificateSHA256: director.certificateSHA256 };
    await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.60'], default: true });
    await rig.director('a', { endpoint });
    const status = { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] };
    const name = rig.environment.clusterName('a');
    await rig.client.mergePatch(nodeType, { name }, { status }, { subresource: 'status' });
    await new Promise<void>((resolve) => this.#prometheus.listen(0, '127.0.0.1', resolve));
    const { port } = this.#prometheus.address() as AddressInfo;
    await rig.start({
      time: { clock: time, timers: time },
      prometheus: { url: new URL(`http://127.0.0.1:${port}`) },
      metrics: this.metrics,
      // By the clock of the test, in which a second takes a few milliseconds.
      lease: { durationMs: 600_000, renewDeadlineMs: 500_000, retryPeriodMs: 2000 },
      onWrite: (request) => this.#note(request),
    });
  }

  async close(): Promise<void> {
    const closed = this.rig.close();
    let isClosed = false;
    void closed.finally(() => (isClosed = true));
    while (!isClosed) await this.#pass(1);
    await this.director.close();
    this.#prometheus.closeAllConnections();
    await new Promise((resolve) => this.#prometheus.close(resolve));
  }

  /** A VirtualService with one RealServer of two pods. */
  async add(name: string, weightPolicy: object): Promise<void> {
    const { rig } = this;
    const addresses: string[] = [];
    for (const number of [1, 2]) {
      const address = `10.8.1.${this.#nextAddress++}`;
      addresses.push(address);
      await rig.pod(`${name}-${number}`, address, { app: name });
      this.director.count(`${rig.namespace}/${name}`, address).active = 1;
    }
    this.#pools.set(name, addresses);
    await rig.virtualService(name, { scheduler: 'wlc', weightPolicy });
    await rig.realServer(name, name);
  }

  /** The policy that asks this Prometheus, which knows the query by the name of the VirtualService. */
  queryPolicy(name: string): object {
    const prometheus = { query: `load_of_${name}`, windowSeconds: windowMs / 1000, unit: 'Utilisation' };
    return { type: 'CapacityEstimate', metrics: { source: 'Prometheus', prometheus } };
  }

  get nowSeconds(): number {
    return Math.round(this.time.monotonicMs() / 1000);
  }

  /** Lets time pass. @param stepSeconds from one answer of the director to the next; the loop turns every second */
  async run(seconds: number, stepSeconds = 1): Promise<void> {
    for (let second = 0; second < seconds; second += stepSeconds) await this.#pass(stepSeconds);
  }

  /** Weights in the slices, by address. */
  async weights(): Promise<ReadonlyMap<string, number | undefined>> {
    const { items } = await this.rig.client.listPage(
      realServerSliceType,
      { namespace: this.rig.namespace },
      {},
    );
    const slices = items as { spec: { endpoints: { address: string; weight?: number }[] } }[];
    return new Map(slices.flatMap(({ spec }) => spec.endpoints.map((each) => [each.address, each.weight])));
  }

  /** Of the two servers of a pool. */
  async weightsOf(name: string): Promise<readonly (number | undefined)[]> {
    const weights = await this.weights();
    return (this.#pools.get(name) ?? []).map((address) => weights.get(address));
  }

  async setReady(pod: string, isReady: boolean): Promise<void> {
    const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }];
    const name = { name: pod, namespace: this.rig.namespace };
    await this.rig.client.mergePatch(podType, name, { status: { conditions } }, { subresource: 'status' });
  }

  /** What the source says of a server now. */
  said(name: string, index: number): readonly Said[] {
    const wallMs = this.time.wallMs();
    const truth = {
      value: String(utilisations[index]),
      // A moment ago: the source has to be asked, and the directors heard.
      timestampMs: Math.floor((wallMs - 3000) / 1000) * 1000,
    };
    return this.distortions.get(name)?.(truth) ?? [truth];
  }

  async #pass(seconds: number): Promise<void> {
    for (const counted of this.director.services.values())
      for (const server of counted.values()) server.total += perSecond * seconds;
    this.onPass();
    const asked = this.director.authorizations.length;
    this.time.advance(seconds * 1000);
    // Until the director was heard; a controller that does not ask is waited for no longer than that.
    for (let turn = 0; turn < 20 && this.director.authorizations.length === asked; turn++) await sleep(1);
    await sleep(2);
  }

  #note(request: KubeRequest): void {
    if (/realserver/.test(request.path)) this.writes.push({ second: this.nowSeconds, request });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const query = new URL(request.url ?? '/', 'http://prometheus').searchParams.get('query') ?? '';
    const name = query.replace('load_of_', '');
    if (this.down.has(name)) {
      response.writeHead(503).end('down');
      return;
    }
    const result = utilisations.flatMap((_, index) =>
      this.said(name, index).map(({ value, timestampMs }) => ({
        metric: { pod: `${name}-${index + 1}`, namespace: this.rig.namespace },
        value: [timestampMs / 1000, value],
      })),
    );
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  }
}
