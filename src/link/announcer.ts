import { LvsError } from '../base/index.ts';
import { errno, formatErrno, isLittleEndianHost } from '../netlink/index.ts';
import type { Libc } from '../netlink/index.ts';
import { encodeAnnouncement } from './announcement-frames.ts';
import type { AnnouncementFrame } from './announcement-frames.ts';
import type { ObservedLink, VipBinding } from './types.ts';

// include/linux/socket.h
const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;

/**
 * When copies go out after a VIP appeared, in milliseconds. Five, as single frames get lost while a switch port wakes
 * up, and five more after five seconds, as keepalived has proven in the field (its defaults for a new master).
 */
export const announcementTimesMs = [0, 100, 250, 500, 1000, 5000, 5100, 5250, 5500, 6000] as const;

/** Calls back after a while. @returns what cancels it */
export type StartTimer = (callback: () => void, delayMs: number) => () => void;

export interface AnnouncerOptions {
  readonly libc: Libc;
  readonly startTimer?: StartTimer;
}

interface Announcement {
  readonly frame: AnnouncementFrame;
  readonly linkIndex: number;
}

/** Tells neighbours where VIPs are, by raw frames over AF_PACKET. Needs CAP_NET_RAW and nothing else. */
export class Announcer {
  readonly #libc: Libc;
  readonly #startTimer: StartTimer;
  /** Running bursts by VIP and device; a VIP that left must not be announced again. */
  readonly #bursts = new Map<string, Announcement>();
  readonly #cancels = new Set<() => void>();
  /** Opened at the first announcement and kept, as later copies must leave from the same network namespace. */
  #fd = -1;

  constructor(options: AnnouncerOptions) {
    this.#libc = options.libc;
    this.#startTimer = options.startTimer ?? startUnrefTimer;
  }

  /**
   * Sends the first copy now and the others later. Links without ARP are skipped, as there is nobody to tell.
   * @returns the reason why neighbours could not be told, per binding that failed; it is a warning, the VIP works for
   * all who ask for it
   */
  announce(bindings: readonly VipBinding[], links: readonly ObservedLink[]): Map<VipBinding, LvsError> {
    const failures = new Map<VipBinding, LvsError>();
    const byName = new Map(links.map((link) => [link.name, link]));
    const started: [VipBinding, Announcement][] = [];
    for (const binding of bindings) {
      const link = byName.get(binding.device);
      if (link === undefined || !link.hasArp || link.hardwareAddress.length !== 6) continue;
      const frame = encodeAnnouncement(binding.vip, link.hardwareAddress);
      started.push([binding, { frame, linkIndex: link.index }]);
    }
    if (started.length === 0) return failures;
    const errors = this.#send(started.map(([, announcement]) => announcement));
    for (const [index, [binding, announcement]] of started.entries()) {
      const error = errors[index];
      if (error !== undefined) failures.set(binding, error);
      if (error?.code !== 'LVS_KERNEL_PERMISSION') this.#bursts.set(burstKey(binding), announcement);
    }
    const keys = started.map(([binding, announcement]) => [burstKey(binding), announcement] as const);
    if (this.#bursts.size > 0)
      for (const delayMs of announcementTimesMs.slice(1)) this.#sendLater(keys, delayMs);
    return failures;
  }

  /** Ends the bursts of these VIPs. */
  forget(bindings: readonly VipBinding[]): void {
    for (const binding of bindings) this.#bursts.delete(burstKey(binding));
  }

  /** Idempotent. */
  close(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#bursts.clear();
    if (this.#fd >= 0) this.#libc.close(this.#fd);
    this.#fd = -1;
  }

  #sendLater(keys: readonly (readonly [string, Announcement])[], delayMs: number): void {
    const isLast = delayMs === announcementTimesMs.at(-1);
    const cancel = this.#startTimer(() => {
      this.#cancels.delete(cancel);
      const current = keys.filter(([key, announcement]) => this.#bursts.get(key) === announcement);
      // A later copy that fails says nothing new.
      this.#send(current.map(([, announcement]) => announcement));
      if (isLast) for (const [key] of current) this.#bursts.delete(key);
    }, delayMs);
    this.#cancels.add(cancel);
  }

  #send(announcements: readonly Announcement[]): (LvsError | undefined)[] {
    if (announcements.length === 0) return [];
    const error = this.#open();
    if (error !== undefined) return announcements.map(() => error);
    return announcements.map(({ frame, linkIndex }) => {
      const address = encodeLinkAddress(frame, linkIndex);
      const sent = this.#libc.sendto(this.#fd, frame.bytes, frame.bytes.length, 0, address, address.length);
      return sent < 0 ? announceError(this.#libc.errno(), 'sendto') : undefined;
    });
  }

  #open(): LvsError | undefined {
    if (this.#fd >= 0) return undefined;
    // Protocol 0: a socket that only sends and never queues what others receive.
    this.#fd = this.#libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    return this.#fd < 0 ? announceError(this.#libc.errno(), 'socket AF_PACKET') : undefined;
  }
}

/** struct sockaddr_ll: family, ethertype (network order), interface index; the rest only matters when receiving. */
function encodeLinkAddress(frame: AnnouncementFrame, linkIndex: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, isLittleEndianHost);
  view.setUint16(2, frame.etherType, false);
  view.setInt32(4, linkIndex, isLittleEndianHost);
  return bytes;
}

function announceError(value: number, operation: string): LvsError {
  const isPermission = value === errno.EPERM || value === errno.EACCES;
  return new LvsError(
    isPermission ? 'LVS_KERNEL_PERMISSION' : 'LVS_KERNEL_REFUSED',
    `Neighbours could not be told about a VIP: ${operation}: ${formatErrno(value)}.`,
    {
      operation,
      errno: value,
      hint: isPermission
        ? 'Give the process CAP_NET_RAW; until then neighbours that knew another owner find this one late.'
        : 'Check that the interface is up.',
    },
  );
}

function burstKey(binding: VipBinding): string {
  return `${binding.vip} ${binding.device}`;
}

/** Announcements never keep a process alive. */
function startUnrefTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
