import type { Socket } from 'node:net';
import { tryParseIpAddress } from '../base/index.ts';
import { isLoopbackAddress } from './listen-address.ts';

/** Connections of all others together, and of one address. */
const mostStrangers = 64;
const mostPerAddress = 16;
/** The host itself is asked by whoever decides about this process: nobody else's connections may keep it out. */
const mostOfHost = 32;

/** Closes connections that are too many. */
export class ConnectionBudget {
  readonly #open = new Map<string, number>();
  #strangers = 0;

  take(socket: Socket): void {
    const address = tryParseIpAddress((socket.remoteAddress ?? '').replace(/^::ffff:/, '')) ?? '';
    const isHost = address !== '' && isLoopbackAddress(address);
    const open = this.#open.get(address) ?? 0;
    const isTooMany = isHost
      ? open >= mostOfHost
      : open >= mostPerAddress || this.#strangers >= mostStrangers;
    if (isTooMany) {
      socket.destroy();
      return;
    }
    this.#open.set(address, open + 1);
    if (!isHost) this.#strangers++;
    socket.once('close', () => {
      const left = (this.#open.get(address) ?? 1) - 1;
      if (left === 0) this.#open.delete(address);
      else this.#open.set(address, left);
      if (!isHost) this.#strangers--;
    });
  }
}
