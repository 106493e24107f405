/** What every Kubernetes object carries. Other fields are there and belong to whoever knows the kind. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  /** Opaque; changes whenever the object does. */
  readonly resourceVersion?: string;
  readonly [field: string]: unknown;
}

/** Metadata as the API server sends it: nothing that identifies the object or its version is missing. */
export interface StoredMeta extends ObjectMeta {
  readonly uid: string;
  readonly resourceVersion: string;
}

export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** As in the path: `virtualservices`. */
  readonly plural: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
}

/** `namespace/name`, or `name` for what belongs to the whole cluster. */
export type ObjectKey = string;

export interface ObjectName {
  readonly name: string;
  readonly namespace?: string | undefined;
}

export function objectKey({ namespace, name }: ObjectName): ObjectKey {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

export function parseObjectKey(key: ObjectKey): ObjectName {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

export interface PathOptions {
  /** Undefined: all namespaces, or a kind that has none. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: 'status';
}

/** The path of a collection, an object or its subresource. Names are encoded: a name from outside stays one segment. */
export function resourcePath(type: ResourceType, options: PathOptions = {}): string {
  const { namespace, name, subresource } = options;
  return [
    type.group === '' ? '/api' : `/apis/${type.group}`,
    type.version,
    ...(type.isNamespaced && namespace !== undefined ? ['namespaces', encodeURIComponent(namespace)] : []),
    type.plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ].join('/');
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The metadata of an object from the API server, or undefined where that is no object at all. */
export function readStoredMeta(value: unknown): StoredMeta | undefined {
  if (!isRecord(value) || !isRecord(value['metadata'])) return undefined;
  const { name, namespace, uid, resourceVersion, ...others } = value['metadata'];
  if (typeof name !== 'string' || name === '') return undefined;
  if (typeof uid !== 'string' || uid === '') return undefined;
  if (typeof resourceVersion !== 'string' || resourceVersion === '') return undefined;
  if (namespace !== undefined && typeof namespace !== 'string') return undefined;
  return { ...others, name, uid, resourceVersion, ...(namespace === undefined ? {} : { namespace }) };
}
