import type { FieldPath, HealthCheckSpec } from '../api/index.ts';
import { formatRecord } from './dns-codec.ts';
import { parsePattern } from './linear-pattern.ts';
import type { BodyMatch, HttpQuestion, Question, TlsQuestion } from './question.ts';

type BytesSpec = NonNullable<HealthCheckSpec['udp']>['payload'];
type HttpSpec = NonNullable<HealthCheckSpec['http']>;
type TlsSpec = NonNullable<NonNullable<HealthCheckSpec['https']>['tls']>;

export type QuestionResult =
  /** Undefined: `none`, nothing is asked. */
  | { readonly ok: true; readonly question: Question | undefined }
  /** `path` is below the check. */
  | { readonly ok: false; readonly path: FieldPath; readonly message: string };

/** The question that a check asks, and whether it can be asked at all. */
export function questionOf(check: HealthCheckSpec): QuestionResult {
  const ask = (question: Question | undefined): QuestionResult => ({ ok: true, question });
  const { tcp, http, https, grpc, udp, dns, smtp, icmp } = check;
  if (tcp !== undefined)
    return ask({ type: 'tcp', sendHex: optionalHex(tcp.send), expectHex: optionalHex(tcp.expect) });
  if (http !== undefined) return askHttp(http, ['http'], undefined);
  if (https !== undefined) return askHttp(https, ['https'], tlsQuestion(https.tls));
  if (grpc !== undefined) return ask({ type: 'grpc', service: grpc.service, tls: tlsQuestion(grpc.tls) });
  if (udp !== undefined)
    return ask({ type: 'udp', payloadHex: hexOf(udp.payload), expectHex: hexOf(udp.expect) });
  if (dns !== undefined) {
    const { name, type, expect, transport } = dns;
    const wanted = expect.map((record) => formatRecord(type, record));
    return ask({ type: 'dns', name, recordType: type, expect: wanted, transport });
  }
  if (smtp !== undefined)
    return ask({ type: 'smtp', heloName: smtp.heloName, startTls: tlsQuestion(smtp.startTls) });
  return ask(icmp === undefined ? undefined : { type: 'icmp' });
}

function askHttp(http: HttpSpec, path: FieldPath, tls: TlsQuestion | undefined): QuestionResult {
  const matches = http.body?.matches;
  const pattern = matches === undefined ? undefined : parsePattern(matches);
  if (pattern?.ok === false)
    return { ok: false, path: [...path, 'body', 'matches'], message: pattern.problem };
  const question: HttpQuestion = {
    type: 'http',
    method: http.method,
    path: http.path,
    host: http.host,
    headers: http.headers.map(({ name, value }) => [name, value] as const),
    statuses: http.statuses.map((range) => {
      const [first = '', last = first] = range.split('-');
      return [Number(first), Number(last)] as const;
    }),
    body: bodyMatch(http.body),
    tls,
  };
  return { ok: true, question };
}

function bodyMatch(body: HttpSpec['body']): BodyMatch | undefined {
  if (body?.contains !== undefined) return { kind: 'contains', text: body.contains };
  return body?.matches === undefined ? undefined : { kind: 'matches', pattern: body.matches };
}

/** Undefined where there is no TLS. */
function tlsQuestion(spec: TlsSpec | undefined): TlsQuestion | undefined {
  if (spec === undefined) return undefined;
  const { insecureSkipVerify, serverName, caBundle, caBundleRef, clientCertificateRef, minVersion } = spec;
  const question: TlsQuestion = { isVerified: !insecureSkipVerify, serverName, caBundle, minVersion };
  if (caBundleRef === undefined && clientCertificateRef === undefined) return question;
  return { ...question, references: { caBundle: caBundleRef, clientCertificate: clientCertificateRef } };
}

function optionalHex(bytes: BytesSpec | undefined): string | undefined {
  return bytes === undefined ? undefined : hexOf(bytes);
}

function hexOf({ text, hex }: BytesSpec): string {
  if (hex !== undefined) return hex.toLowerCase();
  return [...new TextEncoder().encode(text ?? '')].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
