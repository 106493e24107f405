import type { IpAddress } from '../base/index.ts';
import { hasProgrammed } from './live-directors.ts';
import type { LiveDirector } from './live-directors.ts';

/**
 * A virtual address that nobody has any more and that nobody gets yet: a director may still answer for it, and clients
 * of the old service would land with the new one.
 */
export interface QuarantinedVip {
  readonly ip: IpAddress;
  /** RFC 3339 */
  readonly since: string;
  /** `namespace/name` of the VirtualService that had it, and may have it back at once; undefined: not known any more. */
  readonly formerOwner: string | undefined;
  /**
   * Version of the VirtualServices from which on none claims it: who has programmed through it and does not list the
   * address as held has let go. Undefined: a status that still claims it is yet to be rewritten.
   */
  readonly version: string | undefined;
}

/** The directors that keep an address in quarantine, by name. */
export function holdersOf(vip: QuarantinedVip, directors: readonly LiveDirector[]): readonly string[] {
  return directors.filter((director) => !hasLetGo(vip, director)).map(({ name }) => name);
}

function hasLetGo({ ip, version }: QuarantinedVip, director: LiveDirector): boolean {
  if (version === undefined || director.isReleasingCut || director.releasing.has(ip)) return false;
  return hasProgrammed(director, 'virtualServices', version);
}

/**
 * What a new leader does not know: addresses that were let go of in the moments before it began, of which no trace is
 * left. An address that nobody has is handed out only when every director has taken in at least the state that the
 * leader began with. A director that never gets there (its process is down) delays that, and does not prevent it.
 */
export interface Horizon {
  /** Version of the VirtualServices that the leader began with; undefined: unknown. */
  readonly version: string | undefined;
  /** Wall-clock milliseconds. */
  readonly untilMs: number;
}

export const horizonLastsMs = 20_000;

/** The directors that have yet to reach the horizon, by name. Empty: it is behind us. */
export function behindHorizon(
  { version, untilMs }: Horizon,
  directors: readonly LiveDirector[],
  nowMs: number,
): readonly string[] {
  if (version === undefined || nowMs >= untilMs) return [];
  return directors
    .filter((director) => director.boundVips !== 0 && !hasProgrammed(director, 'virtualServices', version))
    .map(({ name }) => name);
}
