/**
 * How one probe ended, in a closed list of words. A word is all that leaves this room about an answer: no byte that a
 * server sent reaches a status, an event or a log (CVE-2020-8555 was such a leak).
 */
export const failureReasons = {
  ConnectTimeout: 'no connection in time',
  AnswerTimeout: 'connected, but the answer was not complete in time',
  ConnectionRefused: 'the port is closed',
  ConnectionReset: 'the connection was reset',
  HostUnreachable: 'the network says that the host cannot be reached',
  NoRoute: 'this director has no route to the host',
  ConnectFailed: 'the connection could not be made',
  ClosedEarly: 'the connection was closed before the answer was complete',
  AnswerTooLarge: 'the answer was larger than a probe reads',
  AnswerMalformed: 'the answer does not follow the protocol',
  AnswerUnexpected: 'the answer is not the expected one',
  StatusUnexpected: 'the status is not one of the expected ones',
  BodyUnexpected: 'the body does not match',
  NotServing: 'the server says that it does not serve',
  ServiceUnknown: 'the server does not know the service that was asked for',
  TlsFailed: 'TLS could not be agreed on',
  CertificateUntrusted: 'no trusted authority vouches for the certificate',
  CertificateExpired: 'the certificate is out of date',
  CertificateNameMismatch: 'the certificate is for another name',
} as const;
export type FailureReason = keyof typeof failureReasons;

/** Why a probe says nothing about its server: the fault is on our side, or we were not able to ask. */
export const voidReasons = {
  ProberLate: 'the prober itself was held up while it waited for the answer',
  LocalResources: 'this host had no descriptor, port or memory left for the probe',
  TargetForbidden: 'probes are never sent to this address',
  Misconfigured: 'the question cannot be asked, such as a certificate that cannot be read',
} as const;
export type VoidReason = keyof typeof voidReasons;

export type ProbeOutcome =
  | {
      readonly kind: 'passed';
      /** When the certificate of the server ends; only of TLS. Wall clock. */
      readonly certificateEndsMs?: number | undefined;
    }
  | { readonly kind: 'failed'; readonly reason: FailureReason }
  | { readonly kind: 'void'; readonly reason: VoidReason };

export const passed: ProbeOutcome = { kind: 'passed' };

export function failed(reason: FailureReason): ProbeOutcome {
  return { kind: 'failed', reason };
}

export function voided(reason: VoidReason): ProbeOutcome {
  return { kind: 'void', reason };
}
