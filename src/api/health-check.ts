import type * as z from 'zod';
import type { CelRule } from './cel.ts';
import { choice, fields, flag, integer, list, objectName, text } from './fields.ts';
import type { Immutable } from './immutable.ts';
import type { FieldPath, RuleViolation } from './problem.ts';

const hostName = (what: string) =>
  text(
    `${what}, such as www.example.org`,
    /^[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?)*$/,
    253,
  );

/** What a YAML text can carry; control characters come in by hex. */
const bytesSchema = (what: string) =>
  fields({
    text: text(`text for ${what}, at most 1024 characters`, /^[\s\S]+$/, 1024)
      .optional()
      .describe('The bytes as text; escapes such as "\\r\\n" are those of YAML in double quotes.'),
    hex: text('bytes in hex, such as 0d0a, at most 1024 of them', /^([0-9A-Fa-f]{2})+$/, 2048)
      .optional()
      .describe('The bytes in hex.'),
  });

const tlsSchema = fields({
  insecureSkipVerify: flag()
    .default(false)
    .describe('Take any certificate. What answers then may be anybody.'),
  serverName: hostName('a host name')
    .optional()
    .describe(
      'Name to ask for (SNI) and to find in the certificate. Omitted: the certificate must be for the address.',
    ),
  caBundle: text('certificates in PEM', /^\s*-----BEGIN CERTIFICATE-----[\s\S]+$/, 262_144)
    .optional()
    .describe('Authorities to trust, in PEM. Omitted, and no caBundleRef: the well-known ones.'),
  caBundleRef: fields({
    name: objectName('the name of a ConfigMap').describe('A ConfigMap of the same namespace.'),
    key: text('a key: letters, digits, "-", "_" and "."', /^[-._a-zA-Z0-9]+$/, 253)
      .default('ca.crt')
      .describe('The entry that holds them.'),
  })
    .optional()
    .describe(
      'Authorities to trust, from a ConfigMap. In a cluster only, and where a RoleBinding lets directors get it.',
    ),
  clientCertificateRef: fields({
    name: objectName('the name of a Secret').describe(
      'A Secret of the same namespace, of type kubernetes.io/tls.',
    ),
  })
    .optional()
    .describe(
      'The certificate that the probe shows, from a Secret. In a cluster only, and where a RoleBinding lets directors get it.',
    ),
  minVersion: choice(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Oldest version to accept.'),
});

/** Those that shape the message itself are ours. */
const ownHeaders = [
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'expect',
] as const;

const httpFields = {
  method: choice(['GET', 'HEAD', 'OPTIONS']).default('GET').describe('Method of the request.'),
  path: text('a path that begins with "/", without spaces', /^\/[\x21-\x7e]*$/, 2048)
    .default('/')
    .describe('Path and query of the request.'),
  host: text('a host, with a port where one belongs', /^[-A-Za-z0-9._:[\]]+$/, 262)
    .optional()
    .describe('The Host header. Default: address and port of the real server.'),
  headers: list(
    fields({
      name: text('a header name', /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/, 128).describe('Name of the header.'),
      value: text('a header value in printable ASCII', /^[\x20-\x7e]*$/, 2048).describe('Its value.'),
    }),
    0,
    32,
  )
    .default([])
    .describe('Further headers.'),
  statuses: list(text('a status or a range, such as 204 or 200-399', /^[1-5]\d\d(-[1-5]\d\d)?$/, 7), 1, 16)
    .default(['200-399'])
    .describe('Statuses that pass. Redirects are never followed.'),
  body: fields({
    contains: text('text that the body contains', /^[\s\S]+$/, 1024)
      .optional()
      .describe('Text to be found.'),
    matches: text('a regular expression', /^[\s\S]+$/, 1024)
      .optional()
      .describe(
        'Pattern to be found, in the syntax of RE2 without what needs memory of the past; it takes linear time.',
      ),
  })
    .optional()
    .describe('What the first 64 KiB of the body must hold, as sent: nothing is decompressed.'),
};

export const healthCheckSchema = fields({
  tcp: fields({
    send: bytesSchema('sending').optional().describe('What to send once connected.'),
    expect: bytesSchema('comparing')
      .optional()
      .describe('What the first 64 KiB of the answer must contain. Omitted: a connection suffices.'),
  })
    .optional()
    .describe('Connect, and possibly talk. A banner of POP3 or IMAP is an `expect` without a `send`.'),
  http: fields(httpFields).optional().describe('Ask by HTTP/1.1.'),
  https: fields({ ...httpFields, tls: tlsSchema.prefault({}).describe('How to verify the real server.') })
    .optional()
    .describe('Ask by HTTP/1.1 over TLS; the certificate is verified.'),
  grpc: fields({
    service: text('the name of a gRPC service', /^[A-Za-z0-9_./-]*$/, 253)
      .default('')
      .describe('Service to ask for. Empty: the server as a whole.'),
    tls: tlsSchema.optional().describe('Ask over TLS. Omitted: in the clear.'),
  })
    .optional()
    .describe('Ask grpc.health.v1.'),
  udp: fields({
    payload: bytesSchema('sending').describe('What to send.'),
    expect: bytesSchema('comparing').describe('What an answer must contain.'),
  })
    .optional()
    .describe('Send a datagram and wait for the answer.'),
  dns: fields({
    name: text('a domain name', /^\S+$/, 254).describe('Name to ask for.'),
    type: choice(['A', 'AAAA', 'NS', 'CNAME', 'SOA', 'PTR', 'MX', 'TXT', 'SRV'])
      .default('A')
      .describe('Type to ask for.'),
    expect: list(text('a record', /^[\s\S]+$/, 512), 0, 32)
      .default([])
      .describe('Records that the answer must hold, as in a zone file. Empty: an answer without an error.'),
    transport: choice(['UDP', 'TCP']).default('UDP').describe('Transport of the question.'),
  })
    .optional()
    .describe('Ask a name server.'),
  smtp: fields({
    heloName: hostName('a host name')
      .default('lvs-operator.invalid')
      .describe('The name that the probe gives for itself in EHLO.'),
    startTls: tlsSchema.optional().describe('Go on to TLS by STARTTLS. Omitted: stay in the clear.'),
  })
    .optional()
    .describe('Greet a mail server by EHLO.'),
  icmp: fields({}).optional().describe('Ping. Says that the host is there, not that it serves.'),
  none: fields({}).optional().describe('No check: every server counts as up.'),
  intervalSeconds: integer(1, 3600).default(2).describe('Time between two probes.'),
  timeoutSeconds: integer(1, 60)
    .default(1)
    .describe('Longest time for a whole probe, however slowly it answers.'),
  successThreshold: integer(1, 100)
    .default(2)
    .describe('Successes in a row after which a server that was down is up. A new server needs one.'),
  failureThreshold: integer(1, 100)
    .default(3)
    .describe('Failures in a row after which a server that was up is down.'),
  port: integer(1, 65535)
    .optional()
    .describe('Port to ask. Default: the port that serves; allowed are ports of the real server only.'),
  through: choice(['realServer', 'virtualService'])
    .default('realServer')
    .describe(
      'virtualService: the probe goes to the virtual address and by the forwarding (DR or TUN) of this one real server, so ' +
        'that a missing virtual address there or a broken tunnel is seen.',
    ),
  initialState: choice(['Down', 'Up'])
    .default('Down')
    .describe('How a new server begins. Down: it gets connections once it has passed.'),
});

export type HealthCheckSpec = Immutable<z.output<typeof healthCheckSchema>>;
export type HealthCheckTls = NonNullable<NonNullable<HealthCheckSpec['https']>['tls']>;
export type HealthCheckBytes = NonNullable<NonNullable<HealthCheckSpec['udp']>['payload']>;

export const healthCheckTypes = [
  'tcp',
  'http',
  'https',
  'grpc',
  'udp',
  'dns',
  'smtp',
  'icmp',
  'none',
] as const;
export type HealthCheckType = (typeof healthCheckTypes)[number];

const oneType = `needs exactly one of ${healthCheckTypes.join(', ')}`;
const throughMark = 'needs a port to connect to; icmp and none have no way through a virtual service';
const oneEncoding = 'needs exactly one of text and hex';
const oneBody = 'needs exactly one of contains and matches';
const ownHeader = 'is set by the probe itself, as it shapes the message';
const oneBundle = 'has no effect beside caBundle; remove one of them';
const statusOrder = 'has a range that ends before it begins';

export const healthCheckPromise =
  'A health check asks one question, ends before the next begins, and compares with one thing.';

/** What the structure cannot say. `path` leads to the health check. */
export function healthCheckViolations(check: HealthCheckSpec, path: FieldPath): readonly RuleViolation[] {
  const used = healthCheckTypes.filter((type) => check[type] !== undefined);
  const violations: RuleViolation[] = [];
  const say = (at: FieldPath, message: string) => violations.push({ path: [...path, ...at], message });
  if (used.length !== 1) say([], used.length === 0 ? oneType : `${oneType}, and has ${used.join(' and ')}`);
  if (check.timeoutSeconds > check.intervalSeconds) {
    say(
      ['timeoutSeconds'],
      `is ${check.timeoutSeconds}, above intervalSeconds ${check.intervalSeconds}; one probe ends before the next begins`,
    );
  }
  if (check.through === 'virtualService' && (check.icmp ?? check.none) !== undefined)
    say(['through'], throughMark);
  for (const [at, bytes] of bytesOf(check)) {
    if ((bytes.text === undefined) === (bytes.hex === undefined)) say(at, oneEncoding);
  }
  for (const type of ['http', 'https'] as const) {
    const http = check[type];
    if (http?.body !== undefined && (http.body.contains === undefined) === (http.body.matches === undefined))
      say([type, 'body'], oneBody);
    http?.headers.forEach(({ name }, index) => {
      if (ownHeaders.some((own) => own === name.toLowerCase()))
        say([type, 'headers', index, 'name'], ownHeader);
    });
    http?.statuses.forEach((range, index) => {
      const [first = '', last = first] = range.split('-');
      if (last < first) say([type, 'statuses', index], statusOrder);
    });
  }
  for (const [at, tls] of healthCheckTls(check)) {
    if (tls.caBundle !== undefined && tls.caBundleRef !== undefined) say([...at, 'caBundleRef'], oneBundle);
  }
  if (check.dns !== undefined && !isDnsName(check.dns.name))
    say(['dns', 'name'], 'has an empty label, one above 63 bytes, or is too long for DNS');
  return violations;
}

function bytesOf({ tcp, udp }: HealthCheckSpec): readonly (readonly [FieldPath, HealthCheckBytes])[] {
  const all: [FieldPath, HealthCheckBytes | undefined][] = [
    [['tcp', 'send'], tcp?.send],
    [['tcp', 'expect'], tcp?.expect],
    [['udp', 'payload'], udp?.payload],
    [['udp', 'expect'], udp?.expect],
  ];
  return all.flatMap(([at, bytes]) => (bytes === undefined ? [] : [[at, bytes] as const]));
}

/** The settings of TLS of a check, at most one, and where they stand below it. */
export function healthCheckTls({
  https,
  grpc,
  smtp,
}: HealthCheckSpec): readonly (readonly [FieldPath, HealthCheckTls])[] {
  const all: [FieldPath, HealthCheckTls | undefined][] = [
    [['https', 'tls'], https?.tls],
    [['grpc', 'tls'], grpc?.tls],
    [['smtp', 'startTls'], smtp?.startTls],
  ];
  return all.flatMap(([at, tls]) => (tls === undefined ? [] : [[at, tls] as const]));
}

/** The same in CEL. `path` leads to the health check. The length of DNS labels is left to the director. */
export function healthCheckCel(path: readonly string[]): readonly CelRule[] {
  const has = (type: string) => `(has(self.${type}) ? 1 : 0)`;
  return [
    { at: path, rule: `${healthCheckTypes.map(has).join(' + ')} == 1`, message: oneType },
    {
      at: path,
      rule: 'self.timeoutSeconds <= self.intervalSeconds',
      message: 'is above intervalSeconds',
      messageExpression:
        "'is %d, above intervalSeconds %d; one probe ends before the next begins'" +
        '.format([self.timeoutSeconds, self.intervalSeconds])',
      fieldPath: '.timeoutSeconds',
    },
    {
      at: path,
      rule: "self.through == 'realServer' || (!has(self.icmp) && !has(self.none))",
      message: throughMark,
      fieldPath: '.through',
      reason: 'FieldValueForbidden',
    },
    ...[
      ['tcp', 'send'],
      ['tcp', 'expect'],
      ['udp', 'payload'],
      ['udp', 'expect'],
    ].map((at) => ({ at: [...path, ...at], rule: 'has(self.text) != has(self.hex)', message: oneEncoding })),
    ...['http', 'https'].flatMap((type) => [
      { at: [...path, type, 'body'], rule: 'has(self.contains) != has(self.matches)', message: oneBody },
      {
        at: [...path, type, 'headers', '[]'],
        rule: `!(self.name.lowerAscii() in [${ownHeaders.map((name) => `'${name}'`).join(', ')}])`,
        message: ownHeader,
        fieldPath: '.name',
        reason: 'FieldValueForbidden' as const,
      },
      {
        at: [...path, type, 'statuses', '[]'],
        rule: "!self.contains('-') || self.substring(0, 3) <= self.substring(4)",
        message: statusOrder,
      },
    ]),
    ...[
      ['https', 'tls'],
      ['grpc', 'tls'],
      ['smtp', 'startTls'],
    ].map((at) => ({
      at: [...path, ...at],
      rule: '!has(self.caBundle) || !has(self.caBundleRef)',
      message: oneBundle,
      fieldPath: '.caBundleRef',
      reason: 'FieldValueForbidden' as const,
    })),
  ];
}

/** Whether a name fits into DNS: labels of 1 to 63 bytes, 255 bytes in all with their lengths. */
function isDnsName(name: string): boolean {
  if (name === '.') return true;
  const labels = name.replace(/\.$/, '').split('.');
  const lengths = labels.map((part) => new TextEncoder().encode(part).length);
  return (
    lengths.every((length) => length > 0 && length <= 63) && lengths.reduce((a, b) => a + b + 1, 1) <= 255
  );
}
