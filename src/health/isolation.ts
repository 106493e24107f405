/**
 * The isolation guard. When most servers of most services stop answering at the same time, the one who is cut off is
 * rather this director. Emptying its tables would turn a lost uplink into a lost service; so it holds what it has.
 *
 * Flow: every service tells how many of its serving servers answered their last probe. While the guard holds, no server
 * falls (those that pass still rise), and when it lets go, the verdicts that were held take effect.
 */

/** What one service looks like from here, before its verdicts have turned. */
export interface ServiceView {
  /** Servers in force as up. */
  readonly serving: number;
  /** Of those, how many failed their last probe, whether or not their verdict has turned. */
  readonly failing: number;
}

/** Why a director takes itself for cut off: as conditions say it. */
export type Isolation = 'MostServersFail' | 'NoUplink';

export interface IsolationInput {
  readonly services: readonly ServiceView[];
  /** Different addresses among the failing servers. One host that dies behind many services is not isolation. */
  readonly failingHosts: number;
  /** The link that carries our probes has no carrier or no address. */
  readonly isUplinkDown: boolean;
  readonly wasIsolated: boolean;
}

/** Fewer prove nothing: two servers of one service may well fail together. */
const leastServices = 2;
const leastHosts = 3;
/** Share of services with most servers failing that begins isolation, and the one below which it ends. */
const beginShare = 0.5;
const endShare = 0.25;

/** @returns why this director is cut off; undefined: it is not. */
export function judgeIsolation({
  services,
  failingHosts,
  isUplinkDown,
  wasIsolated,
}: IsolationInput): Isolation | undefined {
  if (isUplinkDown) return 'NoUplink';
  const judged = services.filter(({ serving }) => serving > 0);
  const lost = judged.filter(({ serving, failing }) => failing > serving / 2).length;
  const isCutOff = wasIsolated
    ? lost > judged.length * endShare
    : judged.length >= leastServices && failingHosts >= leastHosts && lost > judged.length * beginShare;
  return isCutOff ? 'MostServersFail' : undefined;
}

/** What is in force for one server. `was` is what was in force before. */
export function holdWhileIsolated(verdictIsUp: boolean, was: boolean, isIsolated: boolean): boolean {
  return verdictIsUp || (isIsolated && was);
}
