import { closeSync, openSync, readSync } from 'node:fs';

const path = '/proc/net/ip_vs';

/**
 * Reads the kernel's table as text, every second for as long as the process lives. The kernel hands it out a page at a
 * time and without telling its size, for which `readFileSync` allocates 64 KiB per page; here one buffer serves for ever.
 */
export class ProcTableReader {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024);

  /** @returns a view that the next call overwrites; undefined where IPVS has no /proc entry. */
  read(): Uint8Array | undefined {
    let file: number;
    try {
      file = openSync(path, 'r');
    } catch {
      return undefined;
    }
    try {
      let length = 0;
      for (;;) {
        if (length === this.#buffer.length) this.#grow();
        const count = readSync(file, this.#buffer, length, this.#buffer.length - length, null);
        if (count === 0) return this.#buffer.subarray(0, length);
        length += count;
      }
    } catch {
      return undefined;
    } finally {
      closeSync(file);
    }
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(this.#buffer.length * 2);
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }
}
