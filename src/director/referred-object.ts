import { judgeAuthorities, judgeCertificate } from '../health/index.ts';
import type { KubeObject } from '../kube/index.ts';

/** Bytes that a check refers to, in PEM. */
export type Material =
  | { readonly kind: 'authorities'; readonly pem: string }
  | { readonly kind: 'certificate'; readonly certificate: string; readonly key: string };

/** What one entry of an object holds. `why` goes on from the name of the object, and holds nothing of its content. */
export type PartReading =
  { readonly ok: true; readonly material: Material } | { readonly ok: false; readonly why: string };

export type ReferredKind = 'ConfigMap' | 'Secret';

/** As much as `caBundle` may hold. */
const longestBundle = 262_144;
const tlsSecretType = 'kubernetes.io/tls';

/**
 * Reads what a check needs of an object.
 * @param key of a ConfigMap; a Secret has its own
 */
export function readPart(kind: ReferredKind, object: KubeObject, key: string): PartReading {
  return kind === 'ConfigMap' ? readAuthorities(object, key) : readCertificate(object);
}

function readAuthorities(object: KubeObject, key: string): PartReading {
  const pem = entryOf(object, key);
  if (pem === undefined) return { ok: false, why: `has no entry ${key}` };
  if (pem.length > longestBundle)
    return { ok: false, why: `holds more than ${longestBundle} characters in its entry ${key}` };
  const why = judgeAuthorities(pem);
  return why === undefined
    ? { ok: true, material: { kind: 'authorities', pem } }
    : { ok: false, why: `${why} in its entry ${key}` };
}

function readCertificate(object: KubeObject): PartReading {
  if (object['type'] !== tlsSecretType) return { ok: false, why: `is not of type ${tlsSecretType}` };
  const certificate = decode(entryOf(object, 'tls.crt'));
  const key = decode(entryOf(object, 'tls.key'));
  const why = judgeCertificate(certificate, key);
  return why === undefined
    ? { ok: true, material: { kind: 'certificate', certificate, key } }
    : { ok: false, why };
}

function entryOf({ data }: KubeObject, key: string): string | undefined {
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, key)) return undefined;
  const value: unknown = Reflect.get(data, key);
  return typeof value === 'string' ? value : undefined;
}

function decode(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('utf8');
}

export function isSameMaterial(a: Material, b: Material): boolean {
  if (a.kind === 'authorities') return b.kind === 'authorities' && a.pem === b.pem;
  return b.kind === 'certificate' && a.certificate === b.certificate && a.key === b.key;
}
