import { failureReasons, latencyBucketsMs, voidReasons } from '../health/index.ts';
import type { ProbeTotals } from '../health/index.ts';
import { labels, withLabels } from '../metrics/index.ts';
import type { HistogramSamples, LabelText, MetricSamples, Metrics, healthMetrics } from '../metrics/index.ts';
import { formatEntry } from '../plan/index.ts';
import type { ServerHealth, ServiceHealth } from '../plan/index.ts';
import type { HealthNumbers } from './director-health.ts';
import { serviceLabels } from './metric-labels.ts';
import { TransitionCounter } from './transition-counter.ts';

/** Checks that send probes, by the name under which they are counted. */
const probedChecks = ['tcp', 'http', 'https', 'grpc', 'udp', 'dns', 'smtp', 'icmp'];

type HealthMetrics = Metrics<typeof healthMetrics>;

/**
 * Says where each number of health comes from. All of it is kept by whoever probes and judges; what happened since
 * nothing is asked any more is told until the director ends.
 * @param read undefined: nothing is served
 */
export function provideHealthMetrics(metrics: HealthMetrics, read: () => HealthNumbers | undefined): void {
  let numbers: HealthNumbers | undefined;
  metrics.prepare(() => {
    numbers = read();
  });
  provideProbes(metrics, () => numbers);
  provideProber(metrics, () => numbers);
  provideServices(metrics, () => numbers);
  provideServers(metrics, () => numbers);
}

const noTransitions = new TransitionCounter().counts;

type Numbers = () => HealthNumbers | undefined;

function provideProbes(metrics: HealthMetrics, numbers: Numbers): void {
  const totals = (): readonly ProbeTotals[] => numbers()?.totals ?? [];
  metrics.provide('lvs_director_probes_total', () => countProbes(totals()));
  metrics.provide('lvs_director_probe_failures_total', () =>
    countReasons(Object.keys(failureReasons), totals()),
  );
  metrics.provide('lvs_director_probes_void_total', () => countReasons(Object.keys(voidReasons), totals()));
  metrics.provideHistogram('lvs_director_probe_duration_seconds', () => latencies(totals()));
  metrics.provide('lvs_director_health_transitions_total', function* (): MetricSamples {
    const { up, down } = numbers()?.transitions ?? noTransitions;
    for (const [reason, count] of Object.entries(up)) yield [labels({ state: 'up', reason }), count];
    for (const [reason, count] of Object.entries(down)) yield [labels({ state: 'down', reason }), count];
  });
}

function* countProbes(totals: readonly ProbeTotals[]): MetricSamples {
  for (const check of probedChecks) {
    const counts = { passed: 0, failed: 0, void: 0 };
    const outcomes = totals.find(({ type }) => type === check)?.outcomes ?? {};
    for (const [outcome, count] of Object.entries(outcomes))
      counts[outcome === 'passed' ? 'passed' : outcome in voidReasons ? 'void' : 'failed'] += count;
    for (const [outcome, count] of Object.entries(counts)) yield [labels({ check, outcome }), count];
  }
}

function* countReasons(reasons: readonly string[], totals: readonly ProbeTotals[]): MetricSamples {
  for (const reason of reasons)
    yield [labels({ reason }), totals.reduce((sum, { outcomes }) => sum + (outcomes[reason] ?? 0), 0)];
}

function* latencies(totals: readonly ProbeTotals[]): HistogramSamples {
  for (const { type, latency, latencySumMs } of totals) {
    const cumulative = latencyBucketsMs
      .map((bound, index) => [bound / 1000, latency[index] ?? 0] as const)
      .filter(([bound]) => bound !== Infinity);
    const reading = {
      cumulative: () => cumulative,
      sum: latencySumMs / 1000,
      count: latency.at(-1) ?? 0,
    };
    yield [labels({ check: type }), reading];
  }
}

function provideProber(metrics: HealthMetrics, numbers: Numbers): void {
  const prober = () => numbers()?.prober;
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);
  metrics.provideValue('lvs_director_prober_probes', () => prober()?.probes);
  metrics.provideValue('lvs_director_prober_overdue_probes', () => prober()?.overdue);
  metrics.provideValue('lvs_director_prober_oldest_probe_age_seconds', () => seconds(prober()?.oldestAgeMs));
  metrics.provideValue('lvs_director_prober_restarts_total', () => prober()?.restarts ?? 0);
  metrics.provideValue('lvs_director_prober_missed_probes_total', () => prober()?.punctuality.missed ?? 0);
  metrics.provideValue(
    'lvs_director_prober_delay_seconds_total',
    () => seconds(prober()?.punctuality.delayMs) ?? 0,
  );
  metrics.provideValue(
    'lvs_director_prober_held_up_seconds_total',
    () => seconds(prober()?.punctuality.heldUpMs) ?? 0,
  );
}

const states = ['up', 'down', 'new', 'flapping', 'held'] as const;
type ServerState = (typeof states)[number];

function provideServices(metrics: HealthMetrics, numbers: Numbers): void {
  const ofServices = function* (value: (health: ServiceHealth) => boolean): MetricSamples {
    for (const [key, health] of numbers()?.memory.services ?? [])
      yield [serviceLabels(health.base.owner, key), value(health) ? 1 : 0];
  };
  metrics.provide('lvs_director_virtual_service_quorum_lost', () =>
    ofServices(({ counts, isQuorumMet }) => counts.total > 0 && !isQuorumMet),
  );
  metrics.provide('lvs_director_virtual_service_sorry_serving', () =>
    ofServices(({ isSorryServing }) => isSorryServing),
  );
  metrics.provide('lvs_director_virtual_service_health_ignored', () =>
    ofServices(({ isPanicking }) => isPanicking),
  );
  metrics.provide('lvs_director_virtual_service_checked_real_servers', function* (): MetricSamples {
    for (const [key, health] of numbers()?.memory.services ?? []) {
      const text = serviceLabels(health.base.owner, key);
      const counts = countStates(health);
      for (const state of states) yield [withLabels(text, { state }), counts[state]];
    }
  });
}

/** One that a person gave no weight, or that is on its way out, may be down and nobody minds. */
function countStates({ base, servers }: ServiceHealth): Readonly<Record<ServerState, number>> {
  const counts = { up: 0, down: 0, new: 0, flapping: 0, held: 0 };
  for (const [key, server] of base.realServers) {
    const known = servers.get(key);
    if (known?.verdict === undefined || server.isSorry || server.config.weight === 0) continue;
    counts[stateOf(known, known.verdict)]++;
  }
  return counts;
}

function stateOf(
  { isUp, heldUntilMs }: ServerHealth,
  verdict: NonNullable<ServerHealth['verdict']>,
): ServerState {
  if (heldUntilMs !== undefined) return 'flapping';
  if (isUp) return verdict.isUp ? 'up' : 'held';
  return verdict.isProven ? 'down' : 'new';
}

interface LabelledServer {
  /** Made where it is wanted: most servers have no certificate. */
  readonly text: () => LabelText;
  readonly entry: string;
  readonly known: ServerHealth;
}

function* listServers(numbers: HealthNumbers | undefined): Generator<LabelledServer> {
  for (const [key, { base, servers }] of numbers?.memory.services ?? []) {
    const ofService = serviceLabels(base.owner, key);
    for (const [serverKey, { check }] of base.realServers) {
      const known = servers.get(serverKey);
      if (check === undefined || known === undefined) continue;
      const text = () => withLabels(ofService, { real_server: serverKey });
      yield { text, entry: formatEntry(key, serverKey), known };
    }
  }
}

function provideServers(metrics: HealthMetrics, numbers: Numbers): void {
  metrics.provide('lvs_director_real_server_up', function* (): MetricSamples {
    for (const { text, known } of listServers(numbers())) yield [text(), known.isUp ? 1 : 0];
  });
  metrics.provide('lvs_director_real_server_probe_age_seconds', function* (): MetricSamples {
    const now = numbers();
    for (const { text, entry } of listServers(now)) {
      const record = now?.recordOf(entry);
      if (record !== undefined) yield [text(), Math.round(record.ageMs) / 1000];
    }
  });
  metrics.provide(
    'lvs_director_real_server_certificate_expiry_timestamp_seconds',
    function* (): MetricSamples {
      const now = numbers();
      for (const { text, entry } of listServers(now)) {
        const endsMs = now?.recordOf(entry)?.certificateEndsMs;
        if (endsMs !== undefined) yield [text(), Math.round(endsMs / 1000)];
      }
    },
  );
}
