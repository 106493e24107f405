import { release } from 'node:os';
import { ipBits } from '../base/index.ts';
import type { LvsError } from '../base/index.ts';
import { NETLINK_ROUTE, NetlinkConnection, NetlinkMonitor, errno } from '../netlink/index.ts';
import type { Libc, NetlinkDebug } from '../netlink/index.ts';
import {
  addDummyLinkRequest,
  addVipRequest,
  decodeAddress,
  decodeLink,
  deleteLinkRequest,
  deleteVipRequest,
  listAddressesRequest,
  listLinksRequest,
  setLinkUpRequest,
} from './rtnetlink-codec.ts';
import type { RouteRequest } from './rtnetlink-codec.ts';
import { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_LINK } from './rtnetlink-uapi.ts';
import { rtnetlinkNames } from './debug-names.ts';
import { routedVipDevice, vipAddressProtocol } from './types.ts';
import type { ObservedAddress, ObservedLink, VipBinding, VipOutcome } from './types.ts';
import { missingLinkError } from './uplinks.ts';

export interface RouteClientOptions {
  readonly libc: Libc;
  readonly debug?: NetlinkDebug;
}

/** Links and addresses of one network namespace. Synchronous; adds and removes nothing but VIPs and `lvs0`. */
export class RouteClient {
  readonly #connection: NetlinkConnection;
  readonly #monitor: NetlinkMonitor;

  private constructor(connection: NetlinkConnection, monitor: NetlinkMonitor) {
    this.#connection = connection;
    this.#monitor = monitor;
  }

  /** @throws LvsError LVS_NETLINK_SOCKET */
  static open(options: RouteClientOptions): RouteClient {
    const debug = options.debug === undefined ? {} : { debug: { ...options.debug, names: rtnetlinkNames } };
    const socket = { libc: options.libc, ...debug, protocol: NETLINK_ROUTE };
    const connection = NetlinkConnection.open(socket);
    try {
      const groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR];
      return new RouteClient(connection, NetlinkMonitor.open({ ...socket, groups }));
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Idempotent. */
  close(): void {
    this.#connection.close();
    this.#monitor.close();
  }

  listLinks(): ObservedLink[] {
    return this.#connection.dump(listLinksRequest, decodeLink);
  }

  /** Every IPv4 and IPv6 address of every link, ours and others'. */
  listAddresses(links: readonly ObservedLink[] = this.listLinks()): ObservedAddress[] {
    const names = new Map(links.map((link) => [link.index, link.name]));
    const indexed = this.#connection.dump(listAddressesRequest, decodeAddress);
    return indexed.flatMap(({ linkIndex, ...address }) => {
      const device = names.get(linkIndex);
      // A link that appeared between the two dumps: the monitor has told of it, and the next look sees both.
      return device === undefined ? [] : [{ ...address, device }];
    });
  }

  /** True when links or addresses may have changed since the last call. Own changes count too. */
  pollChanged(): boolean {
    let hasEvents = false;
    const isComplete = this.#monitor.drainEvents(() => (hasEvents = true));
    return hasEvents || !isComplete;
  }

  /** Adds each VIP as a host address, creating `lvs0` when it is wanted. What is there already is a success. */
  bindVips(bindings: readonly VipBinding[]): VipOutcome[] {
    if (bindings.length === 0) return [];
    let linkList = this.listLinks();
    let routedDeviceError: LvsError | undefined;
    if (bindings.some((binding) => binding.device === routedVipDevice)) {
      routedDeviceError = this.#ensureRoutedDevice(linkList);
      linkList = this.listLinks();
    }
    const links = new Map(linkList.map((link) => [link.name, link]));
    const existing = new Map(this.listAddresses(linkList).map((address) => [addressKey(address), address]));
    const isWitnessKept = keepsAddressProtocol([...existing.values()]);
    const outcomes = this.#changeVips(bindings, links, (binding, link) => {
      const address = existing.get(bindingKey(binding));
      if (address === undefined) return { request: addVipRequest(binding.vip, link) };
      return { isForeign: isWitnessKept && address.protocol !== vipAddressProtocol };
    });
    if (routedDeviceError === undefined) return outcomes;
    // "There is no lvs0" is true but of no help; why it could not be made is.
    return outcomes.map((outcome) =>
      outcome.binding.device === routedVipDevice && outcome.error !== undefined
        ? { ...outcome, error: routedDeviceError }
        : outcome,
    );
  }

  /**
   * Removes each VIP, unless somebody else put the address there. Where the kernel does not keep IFA_PROTO (before
   * Linux 5.18) the caller's word that a VIP is ours is taken. What is gone already, link included, is a success.
   */
  releaseVips(bindings: readonly VipBinding[]): VipOutcome[] {
    if (bindings.length === 0) return [];
    const links = new Map(this.listLinks().map((link) => [link.name, link]));
    const addresses = this.listAddresses([...links.values()]);
    const existing = new Map(addresses.map((address) => [addressKey(address), address]));
    const isWitnessKept = keepsAddressProtocol(addresses);
    const outcomes = this.#changeVips(bindings, links, (binding, link) => {
      const address = existing.get(bindingKey(binding));
      if (address === undefined) return { isForeign: false };
      const isForeign = isWitnessKept && address.protocol !== vipAddressProtocol;
      return isForeign ? { isForeign } : { request: deleteVipRequest(binding.vip, link) };
    });
    return outcomes.map((outcome) =>
      links.has(outcome.binding.device) ? outcome : unchanged(outcome.binding, false),
    );
  }

  /** Deletes `lvs0` when it is a dummy device that holds no address but link-local ones. For `cleanup`. */
  removeRoutedDevice(): void {
    const link = this.listLinks().find(({ name }) => name === routedVipDevice);
    if (link?.kind !== 'dummy') return;
    const isUsed = this.listAddresses([link]).some(({ ip }) => !ip.startsWith('fe80:'));
    if (isUsed) return;
    const [error] = this.#connection.batch([deleteLinkRequest(link)]);
    if (error !== undefined && error.errno !== errno.ENODEV) throw error;
  }

  /** Makes `lvs0`, or sets it up. @returns why that was impossible */
  #ensureRoutedDevice(links: readonly ObservedLink[]): LvsError | undefined {
    const routed = links.find(({ name }) => name === routedVipDevice);
    if (routed?.isUp === true) return undefined;
    const request = routed === undefined ? addDummyLinkRequest(routedVipDevice) : setLinkUpRequest(routed);
    const [error] = this.#connection.batch([request]);
    return error?.errno === errno.EEXIST ? undefined : error;
  }

  #changeVips(
    bindings: readonly VipBinding[],
    links: ReadonlyMap<string, ObservedLink>,
    decide: (binding: VipBinding, link: ObservedLink) => { request: RouteRequest } | { isForeign: boolean },
  ): VipOutcome[] {
    const pending: { index: number; binding: VipBinding; request: RouteRequest }[] = [];
    const outcomes = bindings.map((binding, index): VipOutcome => {
      const link = links.get(binding.device);
      if (link === undefined) return { ...unchanged(binding, false), error: missingLinkError(binding) };
      const decision = decide(binding, link);
      if ('isForeign' in decision) return unchanged(binding, decision.isForeign);
      pending.push({ index, binding, request: decision.request });
      return unchanged(binding, false);
    });
    const errors = this.#connection.batch(pending.map(({ request }) => request));
    for (const [position, { index, binding }] of pending.entries()) {
      outcomes[index] = judge(binding, errors[position]);
    }
    return outcomes;
  }
}

/** Between the look and the change somebody may have done it for us. */
function judge(binding: VipBinding, error: LvsError | undefined): VipOutcome {
  const isDone =
    error?.errno === errno.EEXIST || error?.errno === errno.EADDRNOTAVAIL || error?.errno === errno.ENODEV;
  if (isDone) return unchanged(binding, false);
  return { binding, isChanged: error === undefined, isForeign: false, error, warning: undefined };
}

function unchanged(binding: VipBinding, isForeign: boolean): VipOutcome {
  return { binding, isChanged: false, isForeign, error: undefined, warning: undefined };
}

/** IFA_PROTO came with Linux 5.18; a distribution may have brought it to an older kernel, which then shows it. */
function keepsAddressProtocol(addresses: readonly ObservedAddress[]): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const isNewEnough = major > 5 || (major === 5 && minor >= 18);
  return isNewEnough || addresses.some((address) => address.protocol !== 0);
}

function bindingKey(binding: VipBinding): string {
  return `${binding.vip} ${binding.device}`;
}

/** Only host addresses can be VIPs of ours; the same IP with another prefix length is another address. */
function addressKey(address: ObservedAddress): string {
  const suffix = address.prefixLength === ipBits(address.family) ? '' : `/${address.prefixLength}`;
  return `${address.ip}${suffix} ${address.device}`;
}
