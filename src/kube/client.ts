import { kubeMalformed } from './kube-error.ts';
import { isRecord, resourcePath } from './kube-object.ts';
import type { KubeObject, ObjectName, ResourceType } from './kube-object.ts';
import type { KubeTransport } from './transport.ts';

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListPage {
  readonly resourceVersion: string;
  /** Undefined: this page is the last. */
  readonly continueToken: string | undefined;
  /** As they came; nothing is known of them yet. */
  readonly items: readonly unknown[];
}

export interface CallOptions {
  /** @default the transport's */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ApplyOptions extends CallOptions {
  readonly fieldManager: string;
  readonly subresource?: 'status';
}

/** Requests on objects of any kind. Failures are KubeErrors; nothing is repeated here: that is the queue's to decide. */
export class KubeClient {
  readonly transport: KubeTransport;

  constructor(transport: KubeTransport) {
    this.transport = transport;
  }

  async get(type: ResourceType, name: ObjectName, options: CallOptions = {}): Promise<KubeObject> {
    const path = resourcePath(type, name);
    return asObject(`GET ${path}`, await this.transport.request({ method: 'GET', path, ...options }));
  }

  /** @throws KubeError LVS_KUBE_CONFLICT when it exists. */
  async create(type: ResourceType, object: KubeObject, options: CallOptions = {}): Promise<KubeObject> {
    const path = resourcePath(type, { namespace: object.metadata.namespace });
    const answer = await this.transport.request({ method: 'POST', path, body: object, ...options });
    return asObject(`POST ${path}`, answer);
  }

  /** @throws KubeError LVS_KUBE_CONFLICT unless `metadata.resourceVersion` is the newest. */
  async update(type: ResourceType, object: KubeObject, options: CallOptions = {}): Promise<KubeObject> {
    const path = resourcePath(type, object.metadata);
    const answer = await this.transport.request({ method: 'PUT', path, body: object, ...options });
    return asObject(`PUT ${path}`, answer);
  }

  /** Lists are replaced whole, a null takes a field away. With `metadata.resourceVersion`, as for `update`. */
  async mergePatch(
    type: ResourceType,
    name: ObjectName,
    patch: unknown,
    options: CallOptions & Partial<Pick<ApplyOptions, 'fieldManager' | 'subresource'>> = {},
  ): Promise<KubeObject> {
    const { fieldManager, subresource, ...call } = options;
    const path = resourcePath(type, { ...name, ...(subresource && { subresource }) });
    const contentType = 'application/merge-patch+json';
    return asObject(
      `PATCH ${path}`,
      await this.transport.request({
        method: 'PATCH',
        path,
        ...(fieldManager && { query: { fieldManager } }),
        body: patch,
        contentType,
        ...call,
      }),
    );
  }

  /**
   * Server-side apply: makes or changes the object so that it has these fields, and takes away what this manager
   * applied before and no longer names. Fields of others that we name become ours.
   */
  async apply(type: ResourceType, object: KubeObject, options: ApplyOptions): Promise<KubeObject> {
    const { fieldManager, subresource, ...call } = options;
    const path = resourcePath(type, { ...object.metadata, ...(subresource && { subresource }) });
    const answer = await this.transport.request({
      method: 'PATCH',
      path,
      query: { fieldManager, force: 'true', fieldValidation: 'Strict' },
      body: object,
      contentType: 'application/apply-patch+yaml',
      ...call,
    });
    return asObject(`PATCH ${path}`, answer);
  }

  /** Deletes exactly that object: a namesake that was made meanwhile has another uid and stays. */
  async delete(type: ResourceType, name: ObjectName, uid: string): Promise<void> {
    await this.transport.request({
      method: 'DELETE',
      path: resourcePath(type, name),
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid },
        propagationPolicy: 'Background',
      },
    });
  }

  async listPage(
    type: ResourceType,
    options: ListOptions,
    page: {
      readonly limit?: number;
      readonly continueToken?: string | undefined;
      readonly signal?: AbortSignal;
    },
  ): Promise<ListPage> {
    const path = resourcePath(type, { namespace: options.namespace });
    const query = {
      ...selectorQuery(options),
      ...(page.limit === undefined ? {} : { limit: String(page.limit) }),
      ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
    };
    const answer = await this.transport.request({
      method: 'GET',
      path,
      query,
      ...(page.signal && { signal: page.signal }),
    });
    return readPage(`GET ${path}`, answer);
  }

  /** The byte stream of a watch that begins behind that version. */
  watch(
    type: ResourceType,
    options: ListOptions,
    from: { readonly resourceVersion: string; readonly timeoutSeconds: number; readonly signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    return this.transport.stream({
      path: resourcePath(type, { namespace: options.namespace }),
      query: {
        ...selectorQuery(options),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: from.resourceVersion,
        timeoutSeconds: String(from.timeoutSeconds),
      },
      signal: from.signal,
    });
  }
}

function selectorQuery({ labelSelector, fieldSelector }: ListOptions): Record<string, string> {
  return { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) };
}

/** Half a list is worse than none: whatever has no items and no version is not taken for an empty one. */
function readPage(operation: string, answer: unknown): ListPage {
  const metadata = isRecord(answer) ? answer['metadata'] : undefined;
  const items = isRecord(answer) ? answer['items'] : undefined;
  const version = isRecord(metadata) ? metadata['resourceVersion'] : undefined;
  if (!isRecord(metadata) || typeof version !== 'string' || version === '')
    throw kubeMalformed(operation, 'the list has no resourceVersion');
  // Go writes an empty slice that was never made as null.
  if (!Array.isArray(items) && items !== null) throw kubeMalformed(operation, 'the list has no items');
  const token = metadata['continue'];
  return {
    resourceVersion: version,
    continueToken: typeof token === 'string' && token !== '' ? token : undefined,
    items: items ?? [],
  };
}

function asObject(operation: string, answer: unknown): KubeObject {
  if (!isRecord(answer) || !isRecord(answer['metadata']) || typeof answer['metadata']['name'] !== 'string')
    throw kubeMalformed(operation, 'the answer is no object');
  return { ...answer, metadata: { ...answer['metadata'], name: answer['metadata']['name'] } };
}
