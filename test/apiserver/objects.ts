/** Plain JSON as the server keeps it. Whatever is stored is never changed in place. */
export type Mapping = Record<string, unknown>;

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface ManagedFieldsEntry {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly time?: string;
  readonly fieldsType: 'FieldsV1';
  readonly fieldsV1: Mapping;
  readonly subresource?: string;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
  [field: string]: unknown;
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Equality of JSON: the order of fields says nothing. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((entry, index) => isSame(entry, b[index]));
  }
  if (!isMapping(a) || !isMapping(b)) return false;
  const [fields, others] = [Object.keys(a), Object.keys(b)];
  return (
    fields.length === others.length &&
    fields.every((field) => Object.hasOwn(b, field) && isSame(a[field], b[field]))
  );
}

/** One spelling for one value: fields in order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_field, inner: unknown) =>
    isMapping(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

/** The value behind simple JSON paths such as `.spec.ports[0].port`; undefined where there is none. */
export function valueAt(value: unknown, jsonPath: string): unknown {
  let found = value;
  for (const [, field, index] of jsonPath.matchAll(/\.([\w-]+)|\[(\d+)\]/g)) {
    if (index !== undefined) found = Array.isArray(found) ? (found as unknown[])[Number(index)] : undefined;
    else found = isMapping(found) && field !== undefined ? found[field] : undefined;
  }
  return found;
}

/** A text as it is, another scalar as JSON writes it, and '' for everything else. */
export function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? JSON.stringify(value) : '';
}

/** RFC 3339 in whole seconds, as metav1.Time is written. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
