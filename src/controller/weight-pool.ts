import type { VirtualServiceSpec } from '../api/index.ts';
import type { PodResources } from '../cluster/index.ts';
import { isEqualJson } from '../kube/index.ts';
import { advisedKernelWeight, advisedWeightUnit } from '../plan/index.ts';
import { createWeightController } from '../weight/index.ts';
import type {
  AdvisedWeight,
  ConnectionReading,
  MetricSample,
  WeightAdvice,
  WeightController,
  WeightedRealServer,
  WeightExplanation,
  WeightReason,
  WeightVerdict,
} from '../weight/index.ts';
import { weightPolicyOf } from './weight-policy-options.ts';

/** An endpoint as its weight is concerned. */
export interface PoolServer {
  readonly address: string;
  /** One for all addresses of a pod: they share its CPU. */
  readonly name: string;
  readonly podName: string | undefined;
  readonly resources: PodResources | undefined;
  /** Takes new connections, as far as the cluster knows. */
  readonly isServing: boolean;
  /** What the RealServer says. */
  readonly configuredWeight: number;
  /** The weight in its slice; undefined: none is there. */
  readonly sliceWeight: number | undefined;
  /** Directors have it already. */
  readonly isKnown: boolean;
  /** Its address is that of a whole node. */
  readonly isShared: boolean;
}

/** What a slice and a status say of one endpoint. */
export interface EndpointWeight {
  readonly configuredWeight: number;
  /** For the slice, where 100 is the mean; undefined: there is no advice for it. */
  readonly advisedWeight: number | undefined;
  /** In the kernels. */
  readonly effectiveWeight: number;
  readonly reason: WeightReason | 'Drained' | 'ConfiguredZero';
}

/** All that is known of the weight of one address. */
export interface ServerState {
  readonly server: PoolServer;
  readonly weight: EndpointWeight;
  readonly advised: AdvisedWeight | undefined;
}

/** The weights of one VirtualService: all endpoints behind it, whichever RealServer they are of, share its load. */
export class WeightPool {
  readonly key: string;
  readonly #spec: Pick<VirtualServiceSpec, 'scheduler' | 'weightPolicy'>;
  readonly #controller: WeightController;
  readonly #servers = new Map<string, readonly PoolServer[]>();
  /** By address. */
  readonly #byAddress = new Map<string, PoolServer>();
  readonly createdMs: number;
  /** Weights that were written since the servers were told, by name. */
  readonly #written = new Map<string, number>();
  #advice: WeightAdvice | undefined;
  #failure: string | undefined;

  constructor(key: string, spec: VirtualServiceSpec, nowMs: number) {
    this.key = key;
    this.#spec = spec;
    this.createdMs = nowMs;
    this.#controller = createWeightController({
      scheduler: spec.scheduler,
      policy: weightPolicyOf(spec),
      virtualService: key,
    });
  }

  get spec(): Pick<VirtualServiceSpec, 'scheduler' | 'weightPolicy'> {
    return this.#spec;
  }

  /** Whether the same pool serves under this spec, too. */
  fits({ scheduler, weightPolicy }: VirtualServiceSpec): boolean {
    return scheduler === this.#spec.scheduler && isEqualJson(weightPolicy, this.#spec.weightPolicy);
  }

  /** All endpoints of one RealServer; an empty list forgets it. @returns whether that is news. */
  setServers(realServerKey: string, servers: readonly PoolServer[]): boolean {
    const last = this.#servers.get(realServerKey);
    if (servers.length === 0) this.#servers.delete(realServerKey);
    else this.#servers.set(realServerKey, servers);
    if (isEqualJson(last ?? [], servers)) return false;
    this.#byAddress.clear();
    for (const list of this.#servers.values())
      for (const server of list) this.#byAddress.set(server.address, server);
    for (const { name } of servers) this.#written.delete(name);
    this.#tellServers();
    return true;
  }

  get realServerKeys(): Iterable<string> {
    return this.#servers.keys();
  }

  get addresses(): ReadonlyMap<string, PoolServer> {
    return this.#byAddress;
  }

  observeConnections(readings: readonly ConnectionReading[]): void {
    this.#controller.observeConnections(readings);
  }

  observeMetrics(samples: readonly MetricSample[]): void {
    if (samples.length > 0) this.#failure = undefined;
    this.#controller.observeMetrics(samples);
  }

  /** @param message a sentence without its full stop */
  observeMetricsFailure(message: string): void {
    this.#failure = message;
    this.#controller.observeMetricsFailure(message);
  }

  get metricsFailure(): string | undefined {
    return this.#failure;
  }

  tick(nowMs: number): WeightAdvice {
    this.#advice = this.#controller.tick(nowMs);
    return this.#advice;
  }

  get advice(): WeightAdvice | undefined {
    return this.#advice;
  }

  get verdict(): WeightVerdict | undefined {
    return this.#advice?.verdict;
  }

  /** RealServers some of whose endpoints are to get another weight. */
  changedRealServers(): readonly string[] {
    const advice = this.#advice;
    if (advice === undefined || advice.changes === 0) return [];
    return [...this.#servers]
      .filter(([, servers]) => servers.some(({ name }) => advice.weights.get(name)?.isChanged === true))
      .map(([key]) => key);
  }

  /** By address. */
  weightsOf(realServerKey: string): ReadonlyMap<string, EndpointWeight> {
    const weights = new Map<string, EndpointWeight>();
    for (const server of this.#servers.get(realServerKey) ?? [])
      weights.set(server.address, this.#weightOf(server));
    return weights;
  }

  /** The advice for this RealServer is in its slices. @returns the reasons of the weights that were not there before. */
  noteWritten(realServerKey: string): readonly WeightReason[] {
    const advice = this.#advice;
    if (advice === undefined) return [];
    const reasons: WeightReason[] = [];
    for (const { name } of this.#servers.get(realServerKey) ?? []) {
      const advised = advice.weights.get(name);
      if (advised?.isChanged !== true || this.#written.get(name) === advised.weight) continue;
      this.#written.set(name, advised.weight);
      reasons.push(advised.reason);
    }
    if (reasons.length > 0) this.#tellServers();
    return reasons;
  }

  /** @param name of a server */
  explain(name: string): WeightExplanation | undefined {
    return this.#controller.explain(name);
  }

  get servers(): Iterable<PoolServer> {
    return this.#byAddress.values();
  }

  /** Each address once, with its weight and with what was advised for its server; drained ones have no advice. */
  *states(): Generator<ServerState> {
    // Whoever reads this takes his time, and nobody may come twice because servers change meanwhile.
    const servers = [...this.#byAddress.values()];
    for (const server of servers) yield this.#stateOf(server);
  }

  /** Those of one RealServer. */
  statesOf(realServerKey: string): readonly ServerState[] {
    return (this.#servers.get(realServerKey) ?? []).map((server) => this.#stateOf(server));
  }

  #stateOf(server: PoolServer): ServerState {
    return { server, weight: this.#weightOf(server), advised: this.#advice?.weights.get(server.name) };
  }

  #weightOf({ name, configuredWeight, isServing, sliceWeight }: PoolServer): EndpointWeight {
    const { scheduler } = this.#spec;
    if (!isServing)
      return { configuredWeight, advisedWeight: sliceWeight, effectiveWeight: 0, reason: 'Drained' };
    const advised = this.#advice?.weights.get(name);
    if (configuredWeight === 0)
      return { configuredWeight, advisedWeight: undefined, effectiveWeight: 0, reason: 'ConfiguredZero' };
    if (advised === undefined) {
      const effectiveWeight = advisedKernelWeight(scheduler, sliceWeight ?? configuredWeight);
      return { configuredWeight, advisedWeight: sliceWeight, effectiveWeight, reason: 'Base' };
    }
    return {
      configuredWeight,
      advisedWeight: advised.weight * advisedWeightUnit(scheduler),
      effectiveWeight: advised.weight,
      reason: advised.reason,
    };
  }

  #tellServers(): void {
    const servers = new Map<string, WeightedRealServer>();
    for (const server of this.#byAddress.values()) {
      const known = servers.get(server.name);
      // Of the addresses of a pod, one that serves speaks for it.
      if (known === undefined || (known.state !== 'Serving' && server.isServing))
        servers.set(server.name, this.#describe(server));
    }
    this.#controller.observeRealServers([...servers.values()]);
  }

  #describe(server: PoolServer): WeightedRealServer {
    const { name, configuredWeight, sliceWeight, isKnown, isServing, resources } = server;
    const { scheduler } = this.#spec;
    const inKernel = isKnown ? advisedKernelWeight(scheduler, sliceWeight ?? configuredWeight) : undefined;
    const currentWeight = this.#written.get(name) ?? inKernel;
    return {
      name,
      title: server.podName ?? server.address,
      baseWeight: configuredWeight,
      state: isServing ? 'Serving' : 'Drained',
      ...(resources?.cpuLimit === undefined ? {} : { cpuLimitCores: resources.cpuLimit }),
      ...(resources?.cpuRequest === undefined ? {} : { cpuRequestCores: resources.cpuRequest }),
      ...(currentWeight === undefined || currentWeight === 0 ? {} : { currentWeight }),
    };
  }
}
