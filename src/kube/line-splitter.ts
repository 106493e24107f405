/** A line of a stream, or the mark that a line was too long to keep. */
export type StreamLine =
  { readonly kind: 'line'; readonly text: string } | { readonly kind: 'overlong'; readonly bytes: number };

const lineFeed = 0x0a;

/**
 * Cuts a byte stream into lines. Chunks may end anywhere, inside a line or inside a character: bytes are joined before
 * they are decoded. Memory is bounded: of a line that exceeds the limit only the length is kept.
 */
export class LineSplitter {
  readonly #longestBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  /** @param longestBytes of one line, without its line feed */
  constructor(longestBytes: number) {
    this.#longestBytes = longestBytes;
  }

  /** The lines that this chunk completes. Empty lines are left out. */
  push(chunk: Uint8Array): StreamLine[] {
    const lines: StreamLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      this.#keep(chunk.subarray(start, end));
      const line = this.#take();
      if (line !== undefined) lines.push(line);
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    // The caller may use its buffer again, so what waits for the next chunk is a copy. (Buffer's slice is none.)
    this.#keep(this.#bytes + rest.length > this.#longestBytes ? rest : new Uint8Array(rest));
    return lines;
  }

  /** Bytes of a line that was begun and not ended. At the end of a stream they are a torn line, and worthless. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#longestBytes) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  #take(): StreamLine | undefined {
    const bytes = this.#bytes;
    const parts = this.#parts;
    this.#bytes = 0;
    this.#parts = [];
    if (bytes > this.#longestBytes) return { kind: 'overlong', bytes };
    const text = Buffer.concat(parts).toString('utf8').trim();
    return text === '' ? undefined : { kind: 'line', text };
  }
}
