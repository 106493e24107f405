import type { FailureReason } from './outcome.ts';

/**
 * Reads the answer to one HTTP/1.1 request from pieces of any size. Knows as much of HTTP as a probe needs and refuses
 * the rest: no redirects, no trailers, no decompression, no second answer. Everything has a limit, so that no server can
 * make us keep more than `headLimit` bytes or read more than `bodyLimit`.
 */
const headLimit = 16 * 1024;
const headerLimit = 100;
/** Informational answers (1xx) before the real one. */
const informationalLimit = 4;
const chunkLineLimit = 256;
export const bodyLimit = 64 * 1024;

export type HttpProgress =
  /** More bytes are needed. */
  | { readonly kind: 'reading' }
  /** The status line and the headers are complete; told once. */
  | { readonly kind: 'head'; readonly status: number }
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly reason: FailureReason };

type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; left: number }
  | { readonly kind: 'chunked'; state: 'size' | 'data' | 'gap'; left: number }
  | { readonly kind: 'untilClose' };

const reading: HttpProgress = { kind: 'reading' };
const complete: HttpProgress = { kind: 'complete' };
const malformed: HttpProgress = { kind: 'failed', reason: 'AnswerMalformed' };

export class HttpResponseReader {
  readonly #isHead: boolean;
  readonly #onBody: (bytes: Uint8Array) => void;
  #framing: Framing | undefined;
  /** Bytes of a head or a chunk line that is not complete. */
  #pending: Uint8Array = new Uint8Array(0);
  #informational = 0;
  #bodyBytes = 0;
  #chunkLine = '';

  /** @param onBody gets the decoded body, piece by piece, up to `bodyLimit` */
  constructor(method: string, onBody: (bytes: Uint8Array) => void) {
    this.#isHead = method === 'HEAD';
    this.#onBody = onBody;
  }

  /** Takes bytes until the head is complete. Body bytes that came with it are returned by `rest`. */
  pushHead(bytes: Uint8Array): { readonly progress: HttpProgress; readonly rest: Uint8Array } {
    this.#pending = this.#pending.length === 0 ? bytes : concatenate(this.#pending, bytes);
    for (;;) {
      const end = findHeadEnd(this.#pending);
      if (end < 0) {
        const isTooLarge = this.#pending.length > headLimit;
        return {
          progress: isTooLarge ? { kind: 'failed', reason: 'AnswerTooLarge' } : reading,
          rest: nothing,
        };
      }
      if (end > headLimit) return { progress: { kind: 'failed', reason: 'AnswerTooLarge' }, rest: nothing };
      const head = parseHead(this.#pending.subarray(0, end));
      this.#pending = this.#pending.subarray(end);
      if (head === undefined) return { progress: malformed, rest: nothing };
      if (head.status >= 200 || head.status === 101) {
        this.#framing = framingOf(head, this.#isHead);
        if (this.#framing === undefined) return { progress: malformed, rest: nothing };
        const rest = this.#pending;
        this.#pending = nothing;
        return { progress: { kind: 'head', status: head.status }, rest };
      }
      if (++this.#informational > informationalLimit) return { progress: malformed, rest: nothing };
    }
  }

  /** Takes bytes of the body, once the head is complete. */
  pushBody(bytes: Uint8Array): HttpProgress {
    const framing = this.#framing;
    switch (framing?.kind) {
      case undefined:
        return malformed;
      case 'none':
        return complete;
      case 'untilClose':
        return this.#take(bytes) ? reading : { kind: 'failed', reason: 'AnswerTooLarge' };
      case 'length': {
        const part = bytes.subarray(0, framing.left);
        framing.left -= part.length;
        if (!this.#take(part)) return { kind: 'failed', reason: 'AnswerTooLarge' };
        return framing.left === 0 ? complete : reading;
      }
      case 'chunked':
        return this.#pushChunked(bytes, framing);
    }
  }

  /** The server closed its side. */
  end(): HttpProgress {
    return this.#framing?.kind === 'untilClose' || this.#framing?.kind === 'none'
      ? complete
      : { kind: 'failed', reason: 'ClosedEarly' };
  }

  #pushChunked(bytes: Uint8Array, framing: Extract<Framing, { kind: 'chunked' }>): HttpProgress {
    let at = 0;
    while (at < bytes.length) {
      if (framing.state === 'data') {
        const part = bytes.subarray(at, at + framing.left);
        at += part.length;
        framing.left -= part.length;
        if (!this.#take(part)) return { kind: 'failed', reason: 'AnswerTooLarge' };
        if (framing.left === 0) framing.state = 'gap';
        continue;
      }
      const byte = bytes[at++] ?? 0;
      if (byte !== 0x0a) {
        if (this.#chunkLine.length >= chunkLineLimit) return malformed;
        this.#chunkLine += String.fromCharCode(byte);
        continue;
      }
      const line = this.#chunkLine.endsWith('\r') ? this.#chunkLine.slice(0, -1) : this.#chunkLine;
      this.#chunkLine = '';
      if (framing.state === 'gap') {
        if (line !== '') return malformed;
        framing.state = 'size';
        continue;
      }
      const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
      if (size === undefined) return malformed;
      framing.left = Number.parseInt(size, 16);
      // What follows the last chunk are trailers, which say nothing about the body.
      if (framing.left === 0) return complete;
      framing.state = 'data';
    }
    return reading;
  }

  /** @returns false when the body is larger than a probe reads */
  #take(bytes: Uint8Array): boolean {
    const part = bytes.subarray(0, bodyLimit - this.#bodyBytes);
    this.#bodyBytes += part.length;
    if (part.length > 0) this.#onBody(part);
    return part.length === bytes.length;
  }
}

const nothing = new Uint8Array(0);

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}

/** Index after the empty line; -1 when there is none. Bare line feeds count, as RFC 9112, section 2.2 allows. */
function findHeadEnd(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3;
  }
  return -1;
}

interface Head {
  readonly status: number;
  readonly contentLength: number | undefined;
  readonly isChunked: boolean;
}

function parseHead(bytes: Uint8Array): Head | undefined {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').split(/\r?\n/);
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: .*)?$/.exec(lines[0] ?? '')?.[1];
  // The split leaves two empty lines behind the last header.
  const headers = lines.slice(1, -2);
  if (status === undefined || headers.length > headerLimit) return undefined;
  let contentLength: number | undefined;
  let isChunked = false;
  for (const line of headers) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    // Folded headers (RFC 9112, section 5.2) begin with a space and are refused with the other misshapen names.
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) return undefined;
    const value = line.slice(colon + 1).trim();
    if (name === 'content-length') {
      const length = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
      if (length === undefined || (contentLength !== undefined && contentLength !== length)) return undefined;
      contentLength = length;
    }
    if (name === 'transfer-encoding') {
      if (value.toLowerCase() !== 'chunked' || isChunked) return undefined;
      isChunked = true;
    }
  }
  return { status: Number(status), contentLength, isChunked };
}

function framingOf({ status, contentLength, isChunked }: Head, isHead: boolean): Framing | undefined {
  // Both at once is how requests are smuggled (RFC 9112, section 6.1); no honest server sends it.
  if (isChunked && contentLength !== undefined) return undefined;
  if (isHead || status === 204 || status === 304 || status === 101) return { kind: 'none' };
  if (isChunked) return { kind: 'chunked', state: 'size', left: 0 };
  if (contentLength === undefined) return { kind: 'untilClose' };
  return contentLength === 0 ? { kind: 'none' } : { kind: 'length', left: contentLength };
}
