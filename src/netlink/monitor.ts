import { formatMessage } from './debug.ts';
import type { NetlinkDebug } from './debug.ts';
import { MessageReader } from './message-reader.ts';
import { NetlinkSocket, receiveBufferBytes } from './socket.ts';
import type { NetlinkSocketOptions } from './socket.ts';

export interface NetlinkMonitorOptions extends NetlinkSocketOptions {
  /** Multicast group numbers: RTNLGRP_LINK 1, RTNLGRP_IPV4_IFADDR 5, RTNLGRP_IPV6_IFADDR 9, … */
  readonly groups: readonly number[];
  readonly debug?: NetlinkDebug;
}

/**
 * Change notifications of the kernel, read on demand. They are hints that shorten the wait for the next look at the
 * world and never the truth: own changes arrive too, and a full queue loses some.
 */
export class NetlinkMonitor {
  readonly #socket: NetlinkSocket;
  readonly #debug: NetlinkDebug | undefined;
  readonly #buffer = new Uint8Array(receiveBufferBytes);

  private constructor(socket: NetlinkSocket, debug: NetlinkDebug | undefined) {
    this.#socket = socket;
    this.#debug = debug;
  }

  /** @throws LvsError LVS_NETLINK_SOCKET */
  static open(options: NetlinkMonitorOptions): NetlinkMonitor {
    const socket = NetlinkSocket.open(options);
    try {
      for (const group of options.groups) socket.join(group);
      return new NetlinkMonitor(socket, options.debug);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /**
   * Hands every waiting event to `onEvent` and returns at once; never blocks.
   * @returns false when events were lost (ENOBUFS): look at the world as a whole
   */
  drainEvents(onEvent: (message: MessageReader) => void): boolean {
    let isComplete = true;
    const message = new MessageReader(this.#buffer, 0);
    for (;;) {
      const length = this.#socket.receive(this.#buffer);
      if (length === 'empty') return isComplete;
      if (length === 'overrun') {
        isComplete = false;
        continue;
      }
      message.reset(length);
      while (message.next()) {
        if (this.#debug !== undefined) this.#debug.sink(formatMessage('<', message, this.#debug.names));
        onEvent(message);
      }
    }
  }

  /** Idempotent. */
  close(): void {
    this.#socket.close();
  }
}
