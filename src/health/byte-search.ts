import { PatternSearch, parsePattern } from './linear-pattern.ts';
import { assert } from '../base/index.ts';
import type { BodyMatch } from './question.ts';

/** Looks for something in bytes that arrive in pieces. */
export interface StreamSearch {
  /** True as soon as it was found. */
  push(bytes: Uint8Array): boolean;
  /** The bytes are complete. */
  end(): boolean;
}

/** Literal bytes; keeps no more of the past than could be the beginning of a find. */
export class ByteSearch implements StreamSearch {
  readonly #wanted: Buffer;
  #tail: Uint8Array = new Uint8Array(0);

  constructor(wanted: Uint8Array) {
    this.#wanted = Buffer.from(wanted);
  }

  push(bytes: Uint8Array): boolean {
    const text = this.#tail.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#tail, bytes]);
    if (text.includes(this.#wanted)) return true;
    this.#tail = text.subarray(Math.max(0, text.length - this.#wanted.length + 1));
    return false;
  }

  end(): boolean {
    return this.#wanted.length === 0;
  }
}

/** Begins a new search each time; the pattern is compiled once. */
export function searchFor(match: BodyMatch): () => StreamSearch {
  if (match.kind === 'contains') {
    const wanted = Buffer.from(match.text);
    return () => new ByteSearch(wanted);
  }
  const parsed = parsePattern(match.pattern);
  assert(parsed.ok, 'the pattern of a probe was not judged before');
  return () => new PatternSearch(parsed.program);
}
