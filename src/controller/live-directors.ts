import { readDirectorStatus } from '../api/index.ts';
import type {
  DirectorRefusal,
  DirectorResource,
  DirectorStatus,
  DirectorTroubledService,
} from '../api/index.ts';
import { isDirectorNode } from '../cluster/index.ts';
import type { NodeRecord } from '../cluster/index.ts';
import { worstOf } from './trouble-severity.ts';

/** What the controller needs to know of a director that is there. */
export interface LiveDirector {
  readonly name: string;
  /** False where the node is no director any more: it is not asked to serve, and may still hold addresses. */
  readonly isServing: boolean;
  /** It takes no new clients, as people asked it to: nobody waits for it, and its view of health is nobody's trouble. */
  readonly isInMaintenance: boolean;
  /** Resource versions up to which its kernel holds what the objects ask for; undefined: it has not reported yet. */
  readonly through: Readonly<Partial<Record<ProgrammedKind, string | undefined>>> | undefined;
  /** Virtual addresses that it still holds although no VirtualService claims them. */
  readonly releasing: ReadonlySet<string>;
  /** It holds more of them than it could list. */
  readonly isReleasingCut: boolean;
  /** Virtual addresses that it has, claimed or not; undefined: unknown. */
  readonly boundVips: number | undefined;
  /** VirtualServices that are not whole there by their checks, by `namespace/name`, each as its worst service is. */
  readonly troubledServices: ReadonlyMap<string, DirectorTroubledService>;
  /** Addresses that fail there, by RealServer (`namespace/name`). */
  readonly troubledRealServers: ReadonlyMap<string, number>;
  /** Objects that it does not serve, or not as written, by `formatObjectRef`. */
  readonly refused: ReadonlyMap<string, DirectorRefusal>;
}

export type ProgrammedKind = 'virtualServices' | 'realServers' | 'realServerSlices' | 'addressPools';

/**
 * The directors that count: their node exists and is ready. A node that is down neither serves nor keeps anybody from
 * being served; its director is waited for again when it is back. One that has given its node back says so, and holds
 * nothing any more. Sorted by name.
 */
export function liveDirectors(
  directors: Iterable<DirectorResource>,
  nodes: { get(name: string): NodeRecord | undefined },
): readonly LiveDirector[] {
  return [...directors]
    .flatMap((director) => {
      const node = nodes.get(nodeOf(director));
      if (node?.isReady !== true) return [];
      const { isRetired, ...read } = readDirector(director);
      return isRetired ? [] : [{ ...read, isServing: isDirectorNode(node) }];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** A director has the name of its node; who reports another node is believed. */
export function nodeOf(director: DirectorResource): string {
  return readDirectorStatus(director).nodeName ?? director.metadata.name;
}

/** Statuses change about once a second at most, and are looked at in every pass. */
const known = new WeakMap<DirectorResource, ReadDirector>();

type ReadDirector = Omit<LiveDirector, 'isServing'> & { readonly isRetired: boolean };

function readDirector(director: DirectorResource): ReadDirector {
  const last = known.get(director);
  if (last !== undefined) return last;
  const { programmedThrough, releasing, refused, counts, conditions, maintenance, ...health } =
    readDirectorStatus(director);
  const read: ReadDirector = {
    name: director.metadata.name,
    isRetired: conditions.some(({ type, reason }) => type === 'Ready' && reason === 'Retired'),
    // By what it says and not by the wish: until it says so, clients come to it.
    isInMaintenance: maintenance !== undefined,
    through: programmedThrough?.virtualServices === undefined ? undefined : programmedThrough,
    releasing: new Set<string>(releasing),
    isReleasingCut: (counts?.releasing ?? 0) > releasing.length,
    boundVips: counts && counts.vips + counts.releasing,
    ...readHealth(health),
    refused: new Map(refused.map((refusal) => [refusal.object, refusal])),
  };
  known.set(director, read);
  return read;
}

function readHealth({
  failingServices,
  failingRealServers,
}: Pick<DirectorStatus, 'failingServices' | 'failingRealServers'>): Pick<
  LiveDirector,
  'troubledServices' | 'troubledRealServers'
> {
  const services = new Map<string, DirectorTroubledService>();
  for (const troubled of failingServices) {
    const key = nameOf(troubled.object);
    services.set(key, worstOf(services.get(key), troubled));
  }
  return {
    troubledServices: services,
    troubledRealServers: new Map(failingRealServers.map(({ object, failing }) => [nameOf(object), failing])),
  };
}

/** `namespace/name` of an object that is told with its kind. */
function nameOf(object: string): string {
  return object.slice(object.indexOf(' ') + 1);
}

/** Whether a director has taken in what happened to objects of a kind up to that version. */
export function hasProgrammed({ through }: LiveDirector, kind: ProgrammedKind, version: string): boolean {
  const reached = through?.[kind];
  return reached !== undefined && compareVersions(reached, version) >= 0;
}

/** Resource versions are decimal numbers without leading zeros (promised since Kubernetes 1.35, KEP-5504). */
export function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `director a`, `directors a, b and 3 more`: for people. */
export function describeDirectors(names: readonly string[]): string {
  const shown = names.slice(0, 5);
  const more = names.length - shown.length;
  const list = more === 0 ? shown.join(', ') : `${shown.join(', ')} and ${more} more`;
  return names.length === 1 ? `director ${list}` : `directors ${list}`;
}
