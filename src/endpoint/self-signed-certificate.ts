import { X509Certificate, createSign, generateKeyPairSync } from 'node:crypto';

/** A certificate that nobody signed but itself: whoever has to trust it knows its SHA-256 from elsewhere. */
export interface SelfSignedCertificate {
  /** PEM; it never leaves the process. */
  readonly key: string;
  /** PEM */
  readonly cert: string;
  /** Of the certificate in DER: 64 hexadecimal digits in lower case. */
  readonly sha256: string;
}

/** Node.js reads certificates and makes none; this is as much of RFC 5280 as one certificate needs. */
const ecdsaWithSha256 = objectId('2a8648ce3d040302');
const commonName = objectId('550403');
const subjectAltName = objectId('551d11');
const basicConstraints = objectId('551d13');
const keyUsage = objectId('551d0f');
const extendedKeyUsage = objectId('551d25');
const serverAuthentication = objectId('2b06010505070301');

const dayMs = 24 * 3600 * 1000;
/** Known by its digest and gone with the process: it need not expire, and clients with a wrong clock should get on. */
const lastsMs = 3650 * dayMs;

/** @param name of the host, as a DNS name; at most 63 characters of it become the common name. */
export function makeCertificate(name: string, nowMs: number, serial: Uint8Array): SelfSignedCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from(name.slice(0, 63))))));
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    // A positive number, whatever its first bit was.
    der(0x02, Buffer.from([0x01]), serial),
    sequence(ecdsaWithSha256),
    subject,
    sequence(time(nowMs - dayMs), time(nowMs + lastsMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        extension(subjectAltName, sequence(der(0x82, Buffer.from(name)))),
        extension(basicConstraints, sequence()),
        extension(keyUsage, der(0x03, Buffer.from([7, 0x80]))),
        extension(extendedKeyUsage, sequence(serverAuthentication)),
      ),
    ),
  );
  const signature = createSign('sha256').update(content).sign(privateKey);
  const bytes = sequence(content, sequence(ecdsaWithSha256), der(0x03, Buffer.from([0]), signature));
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  const cert = `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert,
    sha256: new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

function extension(id: Uint8Array, value: Uint8Array): Buffer {
  return sequence(id, der(0x04, value));
}

/** GeneralizedTime would be right from 2050 on; UTCTime has two digits for the year until then (RFC 5280, 4.1.2.5). */
function time(wallMs: number): Buffer {
  const [year = '', rest = ''] = new Date(wallMs).toISOString().split(/-(.*)/);
  const digits = rest.replace(/\.\d+Z$/, '').replaceAll(/[-:T]/g, '');
  return Number(year) < 2050
    ? der(0x17, Buffer.from(`${year.slice(2)}${digits}Z`))
    : der(0x18, Buffer.from(`${year}${digits}Z`));
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

/** Tag, length, value. Nothing here is longer than 64 KiB. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), value]);
}
