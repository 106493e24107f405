import { realServer, virtualService } from './objects.ts';
import type { RefusalRow } from './objects.ts';

/** Rows of `refusals` about health checks. */
export const healthRefusals: readonly RefusalRow[] = [
  [
    'a health check that asks nothing',
    virtualService({ healthCheck: {} }),
    'HealthCheckInvalid: spec.healthCheck needs exactly one of tcp, http, https, grpc, udp, dns, smtp, icmp, none',
  ],
  [
    'a health check that asks two things',
    realServer({ healthCheck: { tcp: {}, icmp: {} } }),
    'HealthCheckInvalid: spec.healthCheck needs exactly one of tcp, http, https, grpc, udp, dns, smtp, icmp, none, ' +
      'and has tcp and icmp',
  ],
  [
    'a health check that is still waiting when the next begins',
    virtualService({ healthCheck: { tcp: {}, intervalSeconds: 2, timeoutSeconds: 3 } }),
    'HealthCheckInvalid: spec.healthCheck.timeoutSeconds is 3, above intervalSeconds 2; one probe ends before the next begins',
  ],
  [
    'a health check with a header that the probe sets',
    realServer({ healthCheck: { http: { headers: [{ name: 'Host', value: 'x' }] } } }),
    'HealthCheckInvalid: spec.healthCheck.http.headers[0].name is set by the probe itself, as it shapes the message',
  ],
  [
    'a health check with authorities from two places',
    virtualService({
      healthCheck: {
        https: { tls: { caBundle: '-----BEGIN CERTIFICATE-----\nAA==\n', caBundleRef: { name: 'ca' } } },
      },
    }),
    'HealthCheckInvalid: spec.healthCheck.https.tls.caBundleRef has no effect beside caBundle; remove one of them',
  ],
  [
    'a health check with a key that no ConfigMap has',
    realServer({ healthCheck: { smtp: { startTls: { caBundleRef: { name: 'ca', key: 'a/b' } } } } }),
    'InvalidValue: spec.healthCheck.smtp.startTls.caBundleRef.key must be a key: letters, digits, "-", "_" and ".", ' +
      'not "a/b"',
  ],
  [
    'a health check with a Secret of another namespace',
    virtualService({
      healthCheck: { grpc: { tls: { clientCertificateRef: { name: 'a', namespace: 'b' } } } },
    }),
    'UnknownField: spec.healthCheck.grpc.tls.clientCertificateRef.namespace is not a field here; known fields are name',
  ],
  [
    'a health check with bytes in two forms',
    virtualService({ healthCheck: { tcp: { send: { text: 'a', hex: '61' } } } }),
    'HealthCheckInvalid: spec.healthCheck.tcp.send needs exactly one of text and hex',
  ],
];
