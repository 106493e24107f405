import { X509Certificate, createHash } from 'node:crypto';
import { checkServerIdentity, connect, createSecureContext } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import { outcomeOfError } from './network-error.ts';
import type { ProbeOutcome } from './outcome.ts';
import { failed } from './outcome.ts';
import type { Target, TlsQuestion } from './question.ts';
import type { Talk } from './stream-attempt.ts';

/** The settings of TLS with everything read that can be read beforehand. */
export interface PreparedTls {
  readonly question: TlsQuestion;
  readonly context: SecureContext;
  readonly protocols: string[];
}

/**
 * Reads authorities, certificate and key, once for all probes.
 * @param protocols for ALPN
 * @returns undefined when one of them is not there yet, or cannot be read
 */
export function prepareTls(question: TlsQuestion, protocols: string[]): PreparedTls | undefined {
  if (question.references !== undefined) return undefined;
  try {
    return { question, context: contextOf(question), protocols };
  } catch {
    return undefined;
  }
}

/**
 * Contexts that are in use, by a digest of what they were made of. One is 25 KB and half a millisecond, which ten thousand
 * targets must not pay each: they have the same authorities and the same certificate, mostly.
 */
const contexts = new Map<string, WeakRef<SecureContext>>();
const unused = new FinalizationRegistry<string>((digest) => {
  if (contexts.get(digest)?.deref() === undefined) contexts.delete(digest);
});

/** @throws when something in it cannot be read */
function contextOf({ caBundle, clientCertificate, minVersion }: TlsQuestion): SecureContext {
  const { certificate: cert, key } = clientCertificate ?? {};
  const parts = JSON.stringify([caBundle ?? '', cert ?? '', key ?? '', minVersion]);
  const digest = createHash('sha256').update(parts).digest('base64');
  const known = contexts.get(digest)?.deref();
  if (known !== undefined) return known;
  const context = createSecureContext({ ca: caBundle, cert, key, minVersion });
  contexts.set(digest, new WeakRef(context));
  unused.register(context, digest);
  return context;
}

/** Why authorities cannot be used; undefined: they can. Nothing of them is in the answer. */
export function judgeAuthorities(pem: string): string | undefined {
  try {
    new X509Certificate(pem);
    createSecureContext({ ca: pem });
    return undefined;
  } catch {
    return 'holds no certificates in PEM';
  }
}

/** Why a certificate and its key cannot be used; undefined: they can. Nothing of them is in the answer. */
export function judgeCertificate(certificate: string, key: string): string | undefined {
  try {
    new X509Certificate(certificate);
  } catch {
    return 'holds no certificate in PEM';
  }
  try {
    createSecureContext({ cert: certificate, key });
    return undefined;
  } catch {
    return 'holds a key that cannot be read without a passphrase, or that is not the one of its certificate';
  }
}

/** What TLS adds to a conversation. */
export interface SecureTalk {
  readonly socket: TLSSocket;
  /** When the certificate of the server ends. Wall clock. */
  readonly certificateEndsMs: number | undefined;
}

/** Agrees on TLS over a connected socket, verifies the server, and goes on. */
export function secure(
  talk: Talk,
  target: Target,
  tls: PreparedTls,
  then: (secure: SecureTalk) => void,
): void {
  const { question, context, protocols } = tls;
  const socket = connect({
    socket: talk.socket,
    secureContext: context,
    rejectUnauthorized: question.isVerified,
    // Without a name there is no SNI, and the certificate must be for the address.
    servername: question.serverName ?? '',
    host: target.ip,
    checkServerIdentity: (_, certificate) =>
      checkServerIdentity(question.serverName ?? target.ip, certificate),
    ALPNProtocols: protocols,
  });
  talk.onEnd(() => {
    socket.removeAllListeners();
    socket.on('error', () => {});
    socket.destroy();
  });
  socket.on('error', (error) => talk.finish(tlsOutcome(error)));
  socket.once('close', () => talk.finish(failed('ClosedEarly')));
  socket.once('secureConnect', () => {
    const ends = socket.getPeerX509Certificate()?.validTo;
    const endsMs = ends === undefined ? Number.NaN : Date.parse(ends);
    then({ socket, certificateEndsMs: Number.isNaN(endsMs) ? undefined : endsMs });
  });
}

/** During a handshake, what has no better name is a handshake that failed. */
function tlsOutcome(error: Error): ProbeOutcome {
  const outcome = outcomeOfError(error);
  return outcome.kind === 'failed' && outcome.reason === 'ConnectFailed' ? failed('TlsFailed') : outcome;
}
