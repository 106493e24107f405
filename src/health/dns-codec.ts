import { assert, ipFromBytes } from '../base/index.ts';
import type { FailureReason } from './outcome.ts';
import { dnsTypes } from './question.ts';
import type { DnsQuestion, DnsType } from './question.ts';

/**
 * DNS messages (RFC 1035), as much as a probe needs: one question out, the answers of one response in. Names are bounded
 * by the protocol itself, and a compression pointer must point backwards, so nothing can loop.
 */
const classIn = 1;
const headerBytes = 12;
const longestName = 255;
const longestLabel = 63;
/** Answers that are looked at; more do not fit into a sensible message. */
const mostAnswers = 512;

const flagResponse = 0x8000;
const flagTruncated = 0x0200;
const flagRecursionDesired = 0x0100;

/** A name as bytes: labels with their lengths. Undefined: it does not fit into the protocol. */
function encodeName(name: string): number[] | undefined {
  const bytes: number[] = [];
  const labels = name.replace(/\.$/, '');
  for (const label of labels === '' ? [] : labels.split('.')) {
    const encoded = [...new TextEncoder().encode(label)];
    if (encoded.length === 0 || encoded.length > longestLabel) return undefined;
    bytes.push(encoded.length, ...encoded);
  }
  bytes.push(0);
  return bytes.length > longestName ? undefined : bytes;
}

/** @param id what tells our answer from others, 0..65535 */
export function encodeDnsQuery(question: Pick<DnsQuestion, 'name' | 'recordType'>, id: number): Uint8Array {
  const name = encodeName(question.name);
  assert(name !== undefined, 'a DNS probe asks for a name that the protocol cannot hold');
  const bytes = new Uint8Array(headerBytes + name.length + 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, flagRecursionDesired);
  view.setUint16(4, 1);
  bytes.set(name, headerBytes);
  view.setUint16(headerBytes + name.length, dnsTypes[question.recordType]);
  view.setUint16(headerBytes + name.length + 2, classIn);
  return bytes;
}

export type DnsReading =
  /** Not an answer to our question (a late answer to another, or a forgery): keep waiting. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'failed'; readonly reason: FailureReason }
  /** The answers of the type that was asked for, as `formatRecord` writes them. */
  | { readonly kind: 'answers'; readonly records: readonly string[] };

const malformed: DnsReading = { kind: 'failed', reason: 'AnswerMalformed' };

export function decodeDnsResponse(
  bytes: Uint8Array,
  question: Pick<DnsQuestion, 'name' | 'recordType'>,
  id: number,
): DnsReading {
  if (bytes.length < headerBytes) return malformed;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== id || (flags & flagResponse) === 0) return { kind: 'foreign' };
  try {
    const reader = new DnsReader(view);
    if (view.getUint16(4) > 0 && !reader.isQuestion(question)) return { kind: 'foreign' };
    // A server that cannot read the question (FORMERR) may leave it out of its answer; every rcode is judged alike.
    if ((flags & 0x000f) !== 0) return { kind: 'failed', reason: 'StatusUnexpected' };
    if (view.getUint16(4) !== 1) return malformed;
    // A truncated answer over UDP is an answer: the server works. What was cut off is simply not among the records.
    const records = reader.readAnswers(view.getUint16(6), question.recordType, (flags & flagTruncated) !== 0);
    return { kind: 'answers', records };
  } catch (error) {
    if (error instanceof DnsMalformed || error instanceof RangeError) return malformed;
    throw error;
  }
}

class DnsMalformed extends Error {}

class DnsReader {
  readonly #view: DataView;
  #at = headerBytes;

  constructor(view: DataView) {
    this.#view = view;
  }

  isQuestion({ name, recordType }: Pick<DnsQuestion, 'name' | 'recordType'>): boolean {
    const asked = normalName(name);
    const found = this.#name();
    const type = this.#u16();
    return this.#u16() === classIn && type === dnsTypes[recordType] && found === asked;
  }

  readAnswers(count: number, recordType: DnsType, isTruncated: boolean): string[] {
    const records: string[] = [];
    if (count > mostAnswers) throw new DnsMalformed();
    for (let i = 0; i < count; i++) {
      if (isTruncated && this.#at >= this.#view.byteLength) break;
      this.#name();
      const type = this.#u16();
      const recordClass = this.#u16();
      this.#at += 4;
      const length = this.#u16();
      const end = this.#at + length;
      if (end > this.#view.byteLength) throw new DnsMalformed();
      if (type === dnsTypes[recordType] && recordClass === classIn)
        records.push(this.#record(recordType, end));
      this.#at = end;
    }
    return records;
  }

  #record(type: DnsType, end: number): string {
    switch (type) {
      case 'A':
      case 'AAAA':
        if (end - this.#at !== (type === 'A' ? 4 : 16)) throw new DnsMalformed();
        return ipFromBytes(
          new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.#at, end - this.#at),
        );
      case 'NS':
      case 'CNAME':
      case 'PTR':
        return this.#name();
      case 'MX':
        return `${this.#u16()} ${this.#name()}`;
      case 'SRV':
        return `${this.#u16()} ${this.#u16()} ${this.#u16()} ${this.#name()}`;
      case 'SOA':
        return `${this.#name()} ${this.#name()} ${this.#u32()} ${this.#u32()} ${this.#u32()} ${this.#u32()} ${this.#u32()}`;
      case 'TXT':
        return this.#text(end);
    }
  }

  /** The strings of a TXT record are one text, as everyone uses them. */
  #text(end: number): string {
    let text = '';
    while (this.#at < end) {
      const length = this.#u8();
      if (this.#at + length > end) throw new DnsMalformed();
      for (let i = 0; i < length; i++) text += String.fromCharCode(this.#u8());
    }
    return text;
  }

  /** Lower case, with a dot at the end. */
  #name(): string {
    const labels: string[] = [];
    let bytes = 0;
    let at = this.#at;
    /** Where the name goes on in the message, once it has jumped. */
    let after: number | undefined;
    for (;;) {
      const length = this.#view.getUint8(at);
      if (length === 0) break;
      if (length >= 0xc0) {
        const target = ((length & 0x3f) << 8) | this.#view.getUint8(at + 1);
        after ??= at + 2;
        if (target >= at) throw new DnsMalformed();
        at = target;
        continue;
      }
      bytes += length + 1;
      if (length > longestLabel || bytes > longestName) throw new DnsMalformed();
      let label = '';
      for (let i = 1; i <= length; i++) label += String.fromCharCode(this.#view.getUint8(at + i));
      labels.push(label.toLowerCase());
      at += length + 1;
    }
    this.#at = after ?? at + 1;
    return `${labels.join('.')}.`;
  }

  #u8(): number {
    const value = this.#view.getUint8(this.#at);
    this.#at += 1;
    return value;
  }

  #u16(): number {
    const value = this.#view.getUint16(this.#at);
    this.#at += 2;
    return value;
  }

  #u32(): number {
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }
}

function normalName(name: string): string {
  return `${name.toLowerCase().replace(/\.$/, '')}.`;
}

/** An expected record in the form that answers are read in: names in lower case with their dot, addresses as they are. */
export function formatRecord(type: DnsType, text: string): string {
  switch (type) {
    case 'A':
    case 'AAAA':
    case 'TXT':
      return text;
    case 'NS':
    case 'CNAME':
    case 'PTR':
    case 'MX':
    case 'SRV':
      return normalName(text.trim().replaceAll(/\s+/g, ' '));
    case 'SOA':
      return text
        .trim()
        .split(/\s+/)
        .map((field, index) => (index < 2 ? normalName(field) : field))
        .join(' ');
  }
}
