import type { LvsError } from '../base/index.ts';
import { loadLibc } from '../netlink/index.ts';
import type { Libc, NetlinkDebug } from '../netlink/index.ts';
import { Announcer } from './announcer.ts';
import type { StartTimer } from './announcer.ts';
import { Netfilter } from './netfilter.ts';
import { RouteClient } from './route-client.ts';
import { openRuleChangeProbe } from './rule-change-probe.ts';
import type { NetfilterBackend } from './rule-change-probe.ts';
import { runCommand, startCommand } from './run-command.ts';
import type { RunCommand } from './run-command.ts';
import { SysctlFolder } from './sysctl.ts';
import type { SysctlOutcome } from './sysctl.ts';
import type {
  ObservedAddress,
  ObservedLink,
  PacketRules,
  SysctlProfile,
  VipBinding,
  VipOutcome,
} from './types.ts';

export interface LinkOptions {
  /** @default the C library of this process */
  readonly libc?: Libc;
  readonly debug?: NetlinkDebug;
  /** @default /proc/sys */
  readonly sysctlRoot?: string;
  /** @default auto */
  readonly netfilterBackend?: NetfilterBackend | 'auto';
  /** @default runs them */
  readonly runCommand?: RunCommand;
  readonly startTimer?: StartTimer;
}

/**
 * The host's side of a director: addresses, announcements, packet rules, sysctls. Everything is synchronous and in the
 * network namespace of the calling thread; announcements go on by timers until `close`.
 */
export interface Link {
  observeLinks(): ObservedLink[];
  /** Every address of the host, ours (`protocol` = `vipAddressProtocol`) and others'. */
  observeAddresses(): ObservedAddress[];
  /** Binds in one batch and announces what is new and asks for it. Idempotent. */
  bindVips(bindings: readonly VipBinding[]): VipOutcome[];
  /** Releases in one batch; never removes an address that somebody else put there. Idempotent. */
  releaseVips(bindings: readonly VipBinding[]): VipOutcome[];
  /**
   * Tells the neighbours again, as after a takeover. Bindings without `announce` are skipped.
   * @returns why neighbours could not be told, by binding
   */
  announceVips(bindings: readonly VipBinding[]): ReadonlyMap<VipBinding, LvsError>;
  /**
   * What our chains hold; undefined when they are not what we would write for any rules. Cheap while nothing changed.
   * @param options.isFull believe only an exact sign of the host that nothing changed
   * @throws LvsError LVS_NETFILTER_UNAVAILABLE
   */
  observePacketRules(options?: { readonly isFull: boolean }): PacketRules | undefined;
  /**
   * Reads them again in the background; `observePacketRules` says from then on what it found.
   * @throws LvsError LVS_NETFILTER_UNAVAILABLE
   */
  lookAtPacketRulesAgain(): Promise<void>;
  /** @throws LvsError LVS_NETFILTER_UNAVAILABLE */
  applyPacketRules(rules: PacketRules): void;
  /** Removes all chains of ours and the jumps to them, and `lvs0` once it is empty. For `cleanup`. */
  removeEverything(): void;
  /** Current values; a sysctl that does not exist is absent. */
  observeSysctls(paths: Iterable<string>): SysctlProfile;
  /** Writes what differs. Never throws: what could not be set is in the outcome's error. */
  applySysctls(profile: SysctlProfile): SysctlOutcome;
  /** Whether addresses or links may have changed since the last call; the first says yes. A few system calls. */
  pollAddressesChanged(): boolean;
  /** The same for packet rules. With thousands of rules it costs milliseconds. */
  pollPacketRulesChanged(): boolean;
  /** Idempotent. Leaves the host as it is. */
  close(): void;
}

/** @throws LvsError LVS_LIBC_UNAVAILABLE, LVS_NETLINK_SOCKET */
export function openLink(options: LinkOptions = {}): Link {
  const libc = options.libc ?? loadLibc();
  const socket = { libc, ...(options.debug === undefined ? {} : { debug: options.debug }) };
  const routes = RouteClient.open(socket);
  const probe = openRuleChangeProbe(socket);
  const netfilter = new Netfilter({
    run: options.runCommand ?? runCommand,
    ...(options.runCommand === undefined ? { start: startCommand } : {}),
    probe,
    backend: options.netfilterBackend ?? 'auto',
  });
  const announcer = new Announcer({
    libc,
    ...(options.startTimer === undefined ? {} : { startTimer: options.startTimer }),
  });
  const sysctls = new SysctlFolder(options.sysctlRoot);
  let isFirstPoll = true;

  const announceVips = (bindings: readonly VipBinding[]) => {
    const wanted = bindings.filter((binding) => binding.announce);
    return wanted.length === 0
      ? new Map<VipBinding, LvsError>()
      : announcer.announce(wanted, routes.listLinks());
  };

  return {
    observeLinks: () => routes.listLinks(),
    observeAddresses: () => routes.listAddresses(),
    bindVips: (bindings) => {
      const outcomes = routes.bindVips(bindings);
      const fresh = outcomes.filter((outcome) => outcome.isChanged).map((outcome) => outcome.binding);
      const warnings = announceVips(fresh);
      return outcomes.map((outcome) => ({ ...outcome, warning: warnings.get(outcome.binding) }));
    },
    releaseVips: (bindings) => {
      announcer.forget(bindings);
      return routes.releaseVips(bindings);
    },
    announceVips,
    observePacketRules: (look) => netfilter.observe(look?.isFull),
    lookAtPacketRulesAgain: () => netfilter.lookAgain(),
    applyPacketRules: (rules) => netfilter.apply(rules),
    removeEverything: () => {
      netfilter.remove();
      routes.removeRoutedDevice();
    },
    observeSysctls: (paths) => sysctls.read(paths),
    applySysctls: (profile) => sysctls.apply(profile),
    pollAddressesChanged: () => {
      const isFirst = isFirstPoll;
      isFirstPoll = false;
      return routes.pollChanged() || isFirst;
    },
    pollPacketRulesChanged: () => netfilter.pollChanged(),
    close: () => {
      announcer.close();
      routes.close();
      probe.close();
    },
  };
}
