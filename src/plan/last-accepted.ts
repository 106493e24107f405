import { formatObjectRef, objectRefOf } from '../api/index.ts';
import type { RealServerResource, VirtualServiceResource } from '../api/index.ts';
import type { DesiredState, DesiredStateInput, Refusal, Resources } from './types.ts';

/**
 * A refused object falls back to the version that was accepted last. That version is judged again, by today's pools and
 * facts, so a right that was withdrawn is withdrawn; what it cannot do is take a working service down by a typing
 * mistake. An object that is gone has no version here: its absence is a wish, not a mistake.
 */
export function keepLastAccepted(
  input: DesiredStateInput,
  compute: (input: DesiredStateInput) => DesiredState,
): DesiredState {
  let answer = compute(input);
  const { lastAccepted } = input;
  if (lastAccepted === undefined || !answer.refusals.some(({ severity }) => severity === 'error'))
    return answer;

  const last = indexResources(lastAccepted);
  const replaced = new Map<string, readonly Refusal[]>();
  let current = input;
  // A VirtualService that falls back can bring its RealServers along (second round), or take a port back from an
  // object that was quick to claim it (third). Nothing falls back twice, so this ends.
  for (let round = 0; round < maxRounds; round++) {
    const fallback = objectsToReplace(answer.refusals, current, last, replaced);
    if (fallback.size === 0) break;
    for (const [ref, refusals] of fallback) replaced.set(ref, refusals);
    current = {
      ...current,
      virtualServices: current.virtualServices.map((resource) =>
        substitute(resource, fallback, last.virtualServices),
      ),
      realServers: current.realServers.map((resource) => substitute(resource, fallback, last.realServers)),
    };
    answer = compute(current);
  }
  return replaced.size === 0 ? answer : { ...answer, refusals: mergeRefusals(answer.refusals, replaced) };
}

const maxRounds = 4;

interface Index {
  readonly virtualServices: ReadonlyMap<string, VirtualServiceResource>;
  readonly realServers: ReadonlyMap<string, RealServerResource>;
}

function indexResources({ virtualServices, realServers }: Resources): Index {
  const byRef = <R extends VirtualServiceResource | RealServerResource>(list: readonly R[]) =>
    new Map(list.map((resource) => [formatObjectRef(objectRefOf(resource)), resource]));
  return { virtualServices: byRef(virtualServices), realServers: byRef(realServers) };
}

/** Refused objects with another version to go back to, and what was wrong with the present one. */
function objectsToReplace(
  refusals: readonly Refusal[],
  current: DesiredStateInput,
  last: Index,
  replaced: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, readonly Refusal[]> {
  const errors = new Map<string, Refusal[]>();
  for (const refusal of refusals) {
    // Not the RealServer's fault: it comes back with its VirtualService.
    if (refusal.severity !== 'error' || refusal.reason === 'VirtualServiceNotAccepted') continue;
    // One endpoint of many, and where it is no version of the object says.
    if (refusal.endpoint !== undefined) continue;
    const ref = formatObjectRef(refusal.object);
    if (replaced.has(ref)) continue;
    errors.set(ref, [...(errors.get(ref) ?? []), refusal]);
  }
  if (errors.size === 0) return errors;
  const present = indexResources(current);
  for (const ref of errors.keys()) {
    const now = present.virtualServices.get(ref) ?? present.realServers.get(ref);
    const before = last.virtualServices.get(ref) ?? last.realServers.get(ref);
    if (before === undefined || before === now) errors.delete(ref);
  }
  return errors;
}

function substitute<R extends VirtualServiceResource | RealServerResource>(
  resource: R,
  fallback: ReadonlyMap<string, unknown>,
  last: ReadonlyMap<string, R>,
): R {
  const ref = formatObjectRef(objectRefOf(resource));
  return fallback.has(ref) ? (last.get(ref) ?? resource) : resource;
}

/** The complaints about new versions, and whether the old ones still serve. */
function mergeRefusals(
  final: readonly Refusal[],
  replaced: ReadonlyMap<string, readonly Refusal[]>,
): readonly Refusal[] {
  const refusedNow = new Set(
    final
      .filter(({ severity, endpoint }) => severity === 'error' && endpoint === undefined)
      .map(({ object }) => formatObjectRef(object)),
  );
  const complaints = [...replaced].flatMap(([ref, refusals]) =>
    refusals.map((refusal) =>
      refusedNow.has(ref)
        ? refusal
        : { ...refusal, message: `${refusal.message} Until then the version before stays in force.` },
    ),
  );
  return [...final.filter(({ object }) => !replaced.has(formatObjectRef(object))), ...complaints];
}
