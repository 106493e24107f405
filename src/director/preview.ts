import type { DirectorConfiguration } from '../api/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import { openManifestFolder } from '../manifests/index.ts';
import { computeChanges, formatPlan } from '../plan/index.ts';
import { computeFacts } from './facts.ts';
import { computeFirstGoal } from './first-goal.ts';
import { LastGoodStore } from './last-good.ts';
import { readLedgerOnly } from './ledger.ts';
import { ManifestSource } from './manifest-source.ts';
import { massRemovalPolicy } from './mass-removal-policy.ts';
import { openHost } from './open-host.ts';
import { SchedulerCatalogue } from './scheduler-catalogue.ts';
import type { ProblemStatus } from './status.ts';

export interface PreviewOptions {
  readonly manifestFolder: string;
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

/**
 * The change list of the next pass, from the same inputs and by the same functions as a director's. Writes nothing,
 * neither to the kernel nor to the state directory.
 */
export function previewChanges(options: PreviewOptions): Preview {
  const { configuration, clock, logger } = options;
  const ledger = readLedgerOnly(options.stateDirectory);
  const lastGood = new LastGoodStore(options.stateDirectory, logger);
  const source = new ManifestSource({
    folder: openManifestFolder(options.manifestFolder),
    path: options.manifestFolder,
    loadLastGood: () => lastGood.load(),
    clock,
    logger,
  });
  source.refresh();
  const view = source.current();
  const host = openHost(options);
  try {
    host.observe({ isFull: true, drainingServices: [] });
    const facts = computeFacts({
      links: host.state.links,
      addresses: host.state.addresses,
      ownedVips: ledger.vips,
      unavailableSchedulers: new SchedulerCatalogue(host).unavailable(view.resources.virtualServices),
      configuration,
    });
    const desired = computeFirstGoal({ ...view.resources, facts, allocations: ledger.allocations }, lastGood);
    host.observeSysctls(desired.sysctls, true);
    const plan = computeChanges({
      desired,
      observed: host.state,
      ownedServices: new Set(ledger.services),
      ownedVips: ledger.vips,
      drains: ledger.drains,
      held: undefined,
      listNumber: view.listNumber,
      isComplete: view.isComplete,
      nowMs: clock.wallMs(),
      massRemoval: massRemovalPolicy(configuration),
    });
    const refusals = desired.refusals.map((refusal) => ({
      where: source.locate(refusal.object, refusal.path) ?? refusal.object.name,
      object: refusal.object.name,
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
