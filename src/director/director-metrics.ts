import type { Clock } from '../base/index.ts';
import type { ObservedRealServer, TrafficStats } from '../ipvs/index.ts';
import { labels, withLabels, directorMetrics, healthMetrics, processMetrics } from '../metrics/index.ts';
import type { LabelText, Metrics, MetricSamples } from '../metrics/index.ts';
import { provideHealthMetrics } from './health-metrics.ts';
import { serviceLabels } from './metric-labels.ts';
import type { Serving, ServingSnapshot } from './serving.ts';
import { countForeign } from './status-board.ts';
import { collectProblems, countRealServers } from './status-parts.ts';
import type { BoardInput } from './status-parts.ts';
import { Slices } from './slices.ts';
import type { ServiceTraffic } from './traffic-reader.ts';

/** What every director tells. */
export const ownMetrics = { ...directorMetrics, ...healthMetrics, ...processMetrics };

export type DirectorMetrics = Metrics<typeof ownMetrics>;

export interface DirectorMetricsSource {
  readonly clock: Clock;
  /** Undefined: nothing is served, so there is nothing to tell. */
  readonly serving: () => Serving | undefined;
  readonly isReady: () => boolean;
}

/** Says where each number comes from. Counters that the loop keeps up are not here: `agent.ts`. */
export function provideDirectorMetrics(metrics: DirectorMetrics, source: DirectorMetricsSource): void {
  const { clock, serving, isReady } = source;
  metrics.provideValue('lvs_director_ready', () => (isReady() ? 1 : 0));
  metrics.provideValue('lvs_director_last_pass_timestamp_seconds', () => {
    const lastMs = serving()?.lastPassMs;
    return lastMs === undefined ? undefined : (clock.wallMs() - (clock.monotonicMs() - lastMs)) / 1000;
  });
  metrics.provideValue('lvs_director_connection_table_buckets', () => serving()?.kernel.connectionTableSize);
  provideRound(metrics, serving);
  provideHost(metrics, serving);
  provideTraffic(metrics, serving, clock);
  provideHealthMetrics(metrics, () => serving()?.readHealth());
}

function provideRound(metrics: DirectorMetrics, serving: DirectorMetricsSource['serving']): void {
  let snapshot: ServingSnapshot | undefined;
  metrics.prepare(() => {
    snapshot = serving()?.snapshot();
  });
  const ofRound = (value: (round: BoardInput) => number) => (): number | undefined =>
    snapshot?.round === undefined ? undefined : value(snapshot.round);
  metrics.provide('lvs_director_condition', () =>
    (snapshot?.conditions ?? []).map(({ type, status }) => [labels({ type }), status === 'True' ? 1 : 0]),
  );
  metrics.provideValue(
    'lvs_director_virtual_services',
    ofRound(({ desired }) => desired.accepted.virtualServices.length),
  );
  metrics.provideValue(
    'lvs_director_services',
    ofRound(({ desired }) => desired.services.size),
  );
  metrics.provideValue(
    'lvs_director_real_servers',
    ofRound(({ desired }) => countRealServers(desired)),
  );
  metrics.provideValue(
    'lvs_director_foreign_services',
    ofRound(({ host, ledger }) => countForeign(host, ledger)),
  );
  metrics.provideValue(
    'lvs_director_vips',
    ofRound(({ desired }) => new Set(desired.vips.map(({ vip }) => vip)).size),
  );
  metrics.provideValue(
    'lvs_director_held_removals',
    ofRound(({ held }) => held?.keys.length ?? 0),
  );
  metrics.provide('lvs_director_drains', () =>
    countBy('reason', drainReasons, snapshot?.round?.ledger.drains ?? []),
  );
  metrics.provide('lvs_director_problems', () =>
    snapshot?.round === undefined
      ? []
      : countBy('severity', ['error', 'warning'], collectProblems(snapshot.round)),
  );
}

const drainReasons = ['Removed', 'Drained', 'ServiceRemoved'];

/** How many things there are of each kind; kinds that are known are told at zero too. */
function countBy<Name extends string>(
  name: Name,
  known: readonly string[],
  things: readonly Readonly<Record<Name, string>>[],
): MetricSamples {
  const counts = new Map(known.map((kind) => [kind, 0]));
  for (const thing of things) counts.set(thing[name], (counts.get(thing[name]) ?? 0) + 1);
  return [...counts].map(([kind, count]) => [labels({ [name]: kind }), count] as const);
}

function provideHost(metrics: DirectorMetrics, serving: DirectorMetricsSource['serving']): void {
  const counters = () => serving()?.snapshot().host;
  metrics.provideValue('lvs_director_netlink_requests_total', () => counters()?.netlink.requests);
  metrics.provideValue('lvs_director_table_reads_total', () => counters()?.tableReads);
  metrics.provideValue('lvs_director_ledger_writes_total', () => serving()?.snapshot().ledgerWrites);
  metrics.provide('lvs_director_netlink_errors_total', () =>
    [...(counters()?.netlink.errors ?? [])].map(([code, count]) => [labels({ code }), count]),
  );
}

interface LabelledService {
  readonly text: LabelText;
  readonly service: ServiceTraffic;
}

interface LabelledRealServer {
  readonly text: LabelText;
  readonly realServer: ObservedRealServer;
}

/** The kernel is read once for a reading, and so are the labels made. */
function provideTraffic(
  metrics: DirectorMetrics,
  serving: DirectorMetricsSource['serving'],
  clock: Clock,
): void {
  let services: readonly LabelledService[] = [];
  let realServers: readonly LabelledRealServer[] = [];
  metrics.prepare(async () => {
    // A kernel that cannot be read is told by other numbers, and those are wanted then.
    const traffic = await serving()
      ?.readTraffic()
      .catch(() => undefined);
    const labelled = { services: [] as LabelledService[], realServers: [] as LabelledRealServer[] };
    const slices = new Slices(clock);
    for (const service of traffic?.services ?? []) {
      const text = serviceLabels(service.owner, service.name);
      labelled.services.push({ text, service });
      for (const [name, realServer] of service.realServers)
        labelled.realServers.push({ text: withLabels(text, { real_server: name }), realServer });
      await slices.pause();
    }
    ({ services, realServers } = labelled);
  });
  const ofServices = function* (value: (stats: TrafficStats) => bigint): MetricSamples {
    for (const { text, service } of services)
      if (service.stats !== undefined) yield [text, value(service.stats)];
  };
  const ofStats = function* (value: (stats: TrafficStats) => bigint): MetricSamples {
    for (const { text, realServer } of realServers)
      if (realServer.stats !== undefined) yield [text, value(realServer.stats)];
  };
  const ofRealServers = function* (value: (realServer: ObservedRealServer) => number): MetricSamples {
    for (const { text, realServer } of realServers) yield [text, value(realServer)];
  };
  for (const [name, value] of statistics) {
    metrics.provide(`lvs_director_virtual_service_${name}_total`, () => ofServices(value));
    metrics.provide(`lvs_director_real_server_${name}_total`, () => ofStats(value));
  }
  metrics.provide('lvs_director_virtual_service_real_servers', function* (): MetricSamples {
    for (const service of services) yield* countStates(service);
  });
  metrics.provide('lvs_director_real_server_active_connections', () =>
    ofRealServers(({ connections }) => connections.active),
  );
  metrics.provide('lvs_director_real_server_inactive_connections', () =>
    ofRealServers(({ connections }) => connections.inactive),
  );
  metrics.provide('lvs_director_real_server_weight', () => ofRealServers(({ config }) => config.weight));
}

const statistics = [
  ['connections', (stats: TrafficStats) => stats.connections],
  ['incoming_packets', (stats: TrafficStats) => stats.packetsIn],
  ['outgoing_packets', (stats: TrafficStats) => stats.packetsOut],
  ['incoming_bytes', (stats: TrafficStats) => stats.bytesIn],
  ['outgoing_bytes', (stats: TrafficStats) => stats.bytesOut],
] as const;

function countStates({ text, service }: LabelledService): (readonly [LabelText, number])[] {
  const all = [...service.realServers.values()];
  const serving = all.filter(({ config }) => config.weight > 0).length;
  return [
    [withLabels(text, { state: 'serving' }), serving],
    [withLabels(text, { state: 'quiesced' }), all.length - serving],
  ];
}
