import { formatObjectRef } from '../api/index.ts';
import type { DirectorConfiguration } from '../api/index.ts';
import { formatPosition, groupResources, readManifestPaths } from '../manifests/index.ts';
import type { ManifestReading } from '../manifests/index.ts';
import { computeDesiredState } from '../plan/index.ts';
import type { DesiredState } from '../plan/index.ts';
import { emptyLedger } from './ledger.ts';
import { describeProblem } from './manifest-source.ts';
import type { ProblemStatus } from './status.ts';

export interface Validation {
  readonly problems: readonly ProblemStatus[];
  /** `12 objects in 3 files`. */
  readonly summary: string;
}

/**
 * Judges manifests alone and together, without a kernel. What only a host can tell (its own addresses, missing
 * schedulers, the uplink's MTU) is not judged here.
 * @throws LvsError LVS_MANIFEST_FOLDER when a folder is missing or empty.
 */
export function validateManifests(
  paths: readonly string[],
  configuration: DirectorConfiguration,
): Validation {
  const reading = readManifestPaths(paths);
  const desired = computeDesiredState({
    ...groupResources(reading.objects.values()),
    facts: {
      ownAddresses: [],
      uplinks: [],
      unavailableSchedulers: [],
      reservedCidrs: configuration.reservedCIDRs,
      hasPacketRules: configuration.netfilter !== 'Off',
    },
    allocations: emptyLedger.allocations,
  });
  return {
    problems: [...reading.problems.map(describeProblem), ...describeRefusals(desired, reading)].toSorted(
      byPlace,
    ),
    summary: `${reading.objects.size} object(s) in ${reading.files.length} file(s)`,
  };
}

function describeRefusals(desired: DesiredState, reading: ManifestReading): readonly ProblemStatus[] {
  return desired.refusals.map(({ object, path, severity, reason, message }) => {
    const name = formatObjectRef(object);
    const found = reading.objects.get(name);
    return {
      where: found === undefined ? name : formatPosition(found.locate(path)),
      object: name,
      severity,
      reason,
      message: `${name}: ${message}`,
    };
  });
}

function byPlace(a: ProblemStatus, b: ProblemStatus): number {
  return a.where.localeCompare(b.where, 'en', { numeric: true });
}
