/**
 * A cheap answer to "is the kernel table still what I left?": a fingerprint of /proc/net/ip_vs that ignores what
 * traffic moves (the active and inactive connection counts) and the order in which the kernel's hash tables list
 * things. It covers keys, schedulers, persistence, one-packet, forwarding methods and weights. That file does not show
 * scheduler flags, persistence engines, thresholds and tunnels, nor the family of a mark, so a full look now and then
 * stays necessary.
 *
 * Layout (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show): three lines of heading, then per service one line that
 * begins with its protocol, and per real server one that begins with `  ->` and ends with weight, active, inactive.
 *
 * @param text the content of /proc/net/ip_vs.
 * @returns text that is equal exactly when the tables are (but for hash collisions in 64 bits per table).
 */
export function ipvsTableFingerprint(text: Uint8Array): string {
  const sum = new TableSum();
  let service: LineHash = seed;
  let start = skipHeading(text);
  while (start < text.length) {
    const newline = text.indexOf(newlineByte, start);
    const end = newline < 0 ? text.length : newline;
    const isRealServer = text[start] === space;
    const hashedEnd = isRealServer ? endOfWeight(text, start, end) : end;
    let { a, b } = isRealServer ? seedOfRealServers(service) : seed;
    for (let i = start; i < hashedEnd; i++) {
      const byte = text[i] ?? 0;
      if (byte === space) continue;
      a = mixA(a, byte);
      b = mixB(b, byte);
    }
    if (!isRealServer) service = { a, b };
    sum.add(a, b);
    start = end + 1;
  }
  return sum.format();
}

/** Both halves of the hash of one line. */
export interface LineHash {
  readonly a: number;
  readonly b: number;
}

/** FNV-1a's offset basis, and any other odd constant for the second half. */
const seed: LineHash = { a: 0x811c9dc5 | 0, b: 0x9e3779b1 | 0 };

function mixA(a: number, byte: number): number {
  return Math.imul(a ^ byte, 0x01000193);
}

function mixB(b: number, byte: number): number {
  return Math.imul(b ^ byte, 0x85ebca6b) ^ (b >>> 15);
}

/** A real server hashes together with its service, so that a server that changes places is seen. */
export function seedOfRealServers({ a, b }: LineHash): LineHash {
  const service = a ^ b;
  return { a: service, b: ~service };
}

/** The hash of one line as the kernel would print it. @param line ASCII without its spaces; they do not count. */
export function hashLine(line: string, { a, b }: LineHash = seed): LineHash {
  for (let i = 0; i < line.length; i++) {
    const byte = line.charCodeAt(i);
    a = mixA(a, byte);
    b = mixB(b, byte);
  }
  return { a, b };
}

/** The sum over all lines: it does not mind their order, and a line can be taken out again. */
export class TableSum {
  #lines = 0;
  #low = 0;
  #high = 0;

  add(a: number, b: number): void {
    this.#lines++;
    this.#low = (this.#low + scramble(a)) | 0;
    this.#high = (this.#high + scramble(b)) | 0;
  }

  remove(a: number, b: number): void {
    this.#lines--;
    this.#low = (this.#low - scramble(a)) | 0;
    this.#high = (this.#high - scramble(b)) | 0;
  }

  format(): string {
    return `${this.#lines}:${(this.#high >>> 0).toString(16)}:${(this.#low >>> 0).toString(16)}`;
  }

  /** @returns undefined for text that `format` did not make. */
  static parse(fingerprint: string): TableSum | undefined {
    const [, lines = '', high = '', low = ''] = /^(\d+):([0-9a-f]+):([0-9a-f]+)$/.exec(fingerprint) ?? [];
    if (lines === '') return undefined;
    const sum = new TableSum();
    sum.#lines = Number(lines);
    sum.#high = Number.parseInt(high, 16) | 0;
    sum.#low = Number.parseInt(low, 16) | 0;
    return sum;
  }
}

const newlineByte = 0x0a;
const space = 0x20;
export const headingLines = 3;

function skipHeading(text: Uint8Array): number {
  let start = 0;
  for (let line = 0; line < headingLines; line++) {
    const newline = text.indexOf(newlineByte, start);
    if (newline < 0) return text.length;
    start = newline + 1;
  }
  return start;
}

/** Where the last two columns begin: address, method and weight count, the two connection counts do not. */
function endOfWeight(text: Uint8Array, start: number, end: number): number {
  let i = end;
  for (let column = 0; column < 2; column++) {
    while (i > start && text[i - 1] === space) i--;
    while (i > start && text[i - 1] !== space) i--;
  }
  return i;
}

/** Final mixing of MurmurHash3 (public domain constants), so that sums of similar lines do not cancel. */
function scramble(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
