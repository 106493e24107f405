import { formatObjectRef } from '../api/index.ts';
import type { DirectorConfiguration } from '../api/index.ts';
import { LvsError } from '../base/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import { connectCluster } from '../cluster/index.ts';
import type { ConnectClusterOptions } from '../cluster/index.ts';
import { openManifestFolder } from '../manifests/index.ts';
import { firstVerdict } from '../health/index.ts';
import type { IpvsTable } from '../ipvs/index.ts';
import {
  computeChanges,
  describeChecks,
  formatPlan,
  listCheckedServers,
  quiesceDirector,
} from '../plan/index.ts';
import type { DesiredState } from '../plan/index.ts';
import { DirectorHealth, knownVerdicts } from './director-health.ts';
import { clusterKindList, watchClusterKinds } from './cluster-kinds.ts';
import type { DesiredSource } from './desired-source.ts';
import { computeFacts } from './facts.ts';
import { computeFirstGoal } from './first-goal.ts';
import { KubeSource } from './kube-source.ts';
import { LastGoodStore } from './last-good.ts';
import { readLedgerOnly } from './ledger.ts';
import { nextMaintenance } from './maintenance.ts';
import { tableForHealth } from './maintenance-watch.ts';
import { ManifestSource } from './manifest-source.ts';
import { massRemovalPolicy, noMassRemoval } from './mass-removal-policy.ts';
import { openHost } from './open-host.ts';
import { watchOwnDirector } from './own-director.ts';
import { SchedulerCatalogue } from './scheduler-catalogue.ts';
import type { ProblemStatus } from './status.ts';

export interface PreviewOptions {
  readonly stateDirectory: string;
  readonly configuration: DirectorConfiguration;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly netlinkDebug?: ((line: string) => void) | undefined;
}

export interface Preview {
  /** One line per change, drain or hold, in order. */
  readonly lines: readonly string[];
  readonly hasChanges: boolean;
  readonly problems: readonly ProblemStatus[];
}

export interface PreviewClusterOptions extends Pick<
  ConnectClusterOptions,
  'timers' | 'random' | 'userAgent'
> {
  readonly nodeName: string;
  readonly credentials: Pick<ConnectClusterOptions, 'kubeconfig' | 'service'>;
}

/** How long a person waits for an answer rather than for an error. */
const clusterPatienceMs = 15_000;

/** The change list of the next pass of a director on a folder of manifests. */
export function previewManifests(folder: string, options: PreviewOptions): Preview {
  const { clock, logger } = options;
  const lastGood = new LastGoodStore(options.stateDirectory, logger);
  const source = new ManifestSource({
    folder: openManifestFolder(folder),
    path: folder,
    loadLastGood: () => lastGood.load().objects,
    clock,
    logger,
  });
  source.refresh();
  return previewChanges(source, lastGood, options);
}

/**
 * The same for a director in a cluster.
 * @throws LvsError LVS_KUBE_UNREACHABLE when the cluster cannot be read as a whole: half of it would be no answer.
 */
export async function previewCluster(
  cluster: PreviewClusterOptions,
  options: PreviewOptions,
): Promise<Preview> {
  const { clock, logger } = options;
  const { nodeName, credentials, timers, random, userAgent } = cluster;
  const connection = connectCluster({ ...credentials, timers, random, userAgent, clock });
  const lastGood = new LastGoodStore(options.stateDirectory, logger);
  const remembered = lastGood.load();
  const kinds = watchClusterKinds({ connection, logger, remembered, onHealth: () => {} });
  const ownDirector = watchOwnDirector({
    connection,
    nodeName,
    logger,
    onHealth: () => {},
    wasThere: false,
  });
  const source = new KubeSource({
    kinds,
    ownDirector,
    remembered,
    description: `cluster, as node ${nodeName}`,
    clock,
    timers,
    onChange: () => {},
  });
  const address = await connection.serverAddress();
  source.setServerAddresses(address === undefined ? [] : [address]);
  const watched = [...clusterKindList(kinds), ownDirector];
  for (const kind of watched) kind.start();
  try {
    await source.whenComplete(clusterPatienceMs);
    const { isComplete, condition } = source.current();
    if (!isComplete) throw new LvsError('LVS_KUBE_UNREACHABLE', condition.message);
    return previewChanges(source, lastGood, options);
  } finally {
    source.close();
    await Promise.all(watched.map((kind) => kind.stop()));
    await connection.close();
  }
}

/**
 * The change list of the next pass, from the same inputs and by the same functions as a director's. Writes nothing,
 * neither to the kernel nor to the state directory.
 */
function previewChanges(source: DesiredSource, lastGood: LastGoodStore, options: PreviewOptions): Preview {
  const { configuration, clock } = options;
  const ledger = readLedgerOnly(options.stateDirectory);
  const view = source.current();
  const host = openHost(options);
  try {
    host.observe({ isFull: true });
    const facts = computeFacts({
      links: host.state.links,
      addresses: host.state.addresses,
      ownedVips: ledger.vips,
      unavailableSchedulers: new SchedulerCatalogue(host).unavailable(view.resources.virtualServices),
      configuration,
      cluster: view.cluster?.facts,
    });
    const desired = computeFirstGoal({ ...view.resources, facts, allocations: ledger.allocations }, lastGood);
    const maintenance = nextMaintenance(view.cluster, ledger.maintenance, clock.wallMs());
    const table =
      maintenance === undefined && ledger.maintenance === undefined
        ? host.state.table
        : tableForHealth(host.state.table, desired, ledger);
    const healthy = judgeByKernel(desired, table, clock);
    host.observeSysctls(desired.sysctls, true);
    const plan = computeChanges({
      desired: maintenance === undefined ? healthy : quiesceDirector(healthy),
      observed: host.state,
      ownedServices: new Set(ledger.services),
      ownedVips: ledger.vips,
      drains: ledger.drains,
      held: undefined,
      listNumber: view.listNumber,
      isComplete: view.isComplete,
      nowMs: clock.wallMs(),
      massRemoval: view.isAbsenceConfirmed ? noMassRemoval : massRemovalPolicy(configuration),
    });
    const refusals = desired.refusals.map((refusal) => ({
      where: source.locate(refusal.object, refusal.path) ?? formatObjectRef(refusal.object),
      object: formatObjectRef(refusal.object),
      severity: refusal.severity,
      reason: refusal.reason,
      message: refusal.message,
    }));
    return {
      lines: formatPlan(plan),
      hasChanges: plan.changes.length > 0,
      problems: [...view.problems, ...refusals],
    };
  } finally {
    host.close();
    source.close();
  }
}

/** As a director does in its first pass: what the kernel has is all that is known of the health of real servers. */
function judgeByKernel(desired: DesiredState, table: IpvsTable, clock: Clock): DesiredState {
  const wallMs = () => clock.wallMs();
  const checks = describeChecks(listCheckedServers(desired.services), table, true);
  const verdicts = new Map(checks.map(({ id, beginning }) => [id, firstVerdict(beginning, wallMs())]));
  const health = new DirectorHealth({
    verdicts: knownVerdicts((id) => verdicts.get(id)),
    nowMs: wallMs,
    wallMs,
  });
  return health.judge(desired, table, false).desired;
}
