import { failed, voided } from './outcome.ts';
import type { ProbeOutcome } from './outcome.ts';

const outcomes: Readonly<Record<string, ProbeOutcome>> = {
  ECONNREFUSED: failed('ConnectionRefused'),
  ECONNRESET: failed('ConnectionReset'),
  EPIPE: failed('ConnectionReset'),
  ETIMEDOUT: failed('ConnectTimeout'),
  EHOSTUNREACH: failed('HostUnreachable'),
  EHOSTDOWN: failed('HostUnreachable'),
  ENETUNREACH: failed('NoRoute'),
  ENETDOWN: failed('NoRoute'),
  // Ours: nothing was asked, so nothing was answered.
  EMFILE: voided('LocalResources'),
  ENFILE: voided('LocalResources'),
  ENOBUFS: voided('LocalResources'),
  ENOMEM: voided('LocalResources'),
  EAGAIN: voided('LocalResources'),
  EADDRNOTAVAIL: voided('LocalResources'),
  EADDRINUSE: voided('LocalResources'),
};

const certificateOutcomes: Readonly<Record<string, ProbeOutcome>> = {
  CERT_HAS_EXPIRED: failed('CertificateExpired'),
  CERT_NOT_YET_VALID: failed('CertificateExpired'),
  ERR_TLS_CERT_ALTNAME_INVALID: failed('CertificateNameMismatch'),
};

/** OpenSSL's names of the ways in which a chain leads to nobody who is trusted. */
const untrusted =
  /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_|CRL_)/;

/** What an error of a socket says about the server. Its text is never looked at or kept. */
export function outcomeOfError(error: Error): ProbeOutcome {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return outcomes[code] ?? certificateOutcomes[code] ?? tlsOutcome(code) ?? failed('ConnectFailed');
}

function tlsOutcome(code: string): ProbeOutcome | undefined {
  if (untrusted.test(code)) return failed('CertificateUntrusted');
  return /^(?:ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO)/.test(code) ? failed('TlsFailed') : undefined;
}
