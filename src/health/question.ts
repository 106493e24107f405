import type { IpAddress } from '../base/index.ts';

/**
 * What a probe asks, with everything resolved: no reference to an object, no default left open. Two questions are the
 * same when their `questionKey` is.
 */
export type Question =
  | TcpQuestion
  | HttpQuestion
  | GrpcQuestion
  | UdpQuestion
  | DnsQuestion
  | SmtpQuestion
  | { readonly type: 'icmp' };

export interface TcpQuestion {
  readonly type: 'tcp';
  /** Bytes to send once connected, in hex. */
  readonly sendHex?: string | undefined;
  /** Bytes that the answer must contain, in hex. Omitted: that the connection is made is the answer. */
  readonly expectHex?: string | undefined;
}

export interface HttpQuestion {
  readonly type: 'http';
  readonly method: 'GET' | 'HEAD' | 'OPTIONS';
  readonly path: string;
  /** The Host header; the address and port of the server if omitted. */
  readonly host?: string | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Inclusive. */
  readonly statuses: readonly (readonly [first: number, last: number])[];
  readonly body?: BodyMatch | undefined;
  /** Undefined: without TLS. */
  readonly tls?: TlsQuestion | undefined;
}

export type BodyMatch =
  | { readonly kind: 'contains'; readonly text: string }
  | { readonly kind: 'matches'; readonly pattern: string };

export interface TlsQuestion {
  /** Verify the certificate of the server and its name. */
  readonly isVerified: boolean;
  /** For SNI and verification; without one, the certificate must be for the address itself. */
  readonly serverName?: string | undefined;
  /** PEM; the trusted authorities of Node if omitted. */
  readonly caBundle?: string | undefined;
  /** PEM; shown to servers that ask for a certificate. */
  readonly clientCertificate?: { readonly certificate: string; readonly key: string } | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** What has to be fetched before anything can be asked; with these the probe is void. */
  readonly references?: TlsReferences | undefined;
  /** What was fetched, by a name that changes with it: it stands for the bytes where questions are compared. */
  readonly fetched?: string | undefined;
}

/** Objects of the namespace of whoever asks. */
export interface TlsReferences {
  /** An entry of a ConfigMap, for `caBundle`. */
  readonly caBundle?: { readonly name: string; readonly key: string } | undefined;
  /** A Secret, for `clientCertificate`. */
  readonly clientCertificate?: { readonly name: string } | undefined;
}

/** The settings of TLS in a question. */
export function tlsOf(question: Question): TlsQuestion | undefined {
  if (question.type === 'smtp') return question.startTls;
  return question.type === 'http' || question.type === 'grpc' ? question.tls : undefined;
}

/** The same question with other settings of TLS. */
export function withTls(question: Question, tls: TlsQuestion): Question {
  if (question.type === 'smtp') return { ...question, startTls: tls };
  return question.type === 'http' || question.type === 'grpc' ? { ...question, tls } : question;
}

export interface GrpcQuestion {
  readonly type: 'grpc';
  /** Service of grpc.health.v1; empty: the server as a whole. */
  readonly service: string;
  readonly tls?: TlsQuestion | undefined;
}

export interface UdpQuestion {
  readonly type: 'udp';
  readonly payloadHex: string;
  /** Bytes that the answer must contain, in hex. */
  readonly expectHex: string;
}

export const dnsTypes = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
} as const;
export type DnsType = keyof typeof dnsTypes;

export interface DnsQuestion {
  readonly type: 'dns';
  readonly name: string;
  readonly recordType: DnsType;
  /** Every one must be among the answers, as `formatRecord` writes them. Empty: any answer without an error will do. */
  readonly expect: readonly string[];
  readonly transport: 'UDP' | 'TCP';
}

export interface SmtpQuestion {
  readonly type: 'smtp';
  readonly heloName: string;
  /** Undefined: without STARTTLS. */
  readonly startTls?: TlsQuestion | undefined;
}

/** Whom to ask. */
export interface Target {
  readonly ip: IpAddress;
  /** 0 for icmp. */
  readonly port: number;
  /** How packets get there when not by the routing table: through the virtual service that a mark stands for. */
  readonly route?: MarkedRoute | undefined;
}

export interface MarkedRoute {
  readonly mark: number;
  /** The address of this director (DIP) that the probe comes from. */
  readonly source: IpAddress;
}

/** One question to one target at a pace of its own: what is probed once, however many services ask for it. */
export interface Probe {
  readonly target: Target;
  readonly question: Question;
  readonly intervalMs: number;
  /** Total: from the first packet to the last byte that decides. */
  readonly timeoutMs: number;
}

/** The identity of a probe: equal exactly for probes that would do the same. */
export function probeKey({ target, question, intervalMs, timeoutMs }: Probe): string {
  const route = target.route === undefined ? [] : [target.route.mark, target.route.source];
  const asked = sortedFields(withoutBytes(question));
  return JSON.stringify([target.ip, target.port, route, intervalMs, timeoutMs, asked]);
}

/** Keys live as long as probes, so nothing secret stands in them. */
function withoutBytes(question: Question): Question {
  const tls = tlsOf(question);
  if (tls?.fetched === undefined) return question;
  return withTls(question, { ...tls, caBundle: undefined, clientCertificate: undefined });
}

/** Objects as lists of their fields by name, so that the order in which they were built does not matter. */
function sortedFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedFields);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => [name, sortedFields(field)]);
}
