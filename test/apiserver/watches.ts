/** Watches: what happened since, what happens now, bookmarks, and the ways in which a stream can break. */
import type { ServerResponse } from 'node:http';
import { gone } from './api-error.ts';
import { listOptionsInvalid, readRevision, selectorOf, tooLarge } from './lists.ts';
import type { KubeObject, Mapping } from './objects.ts';
import { view } from './resources.ts';
import { apiVersionOf, storageOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';
import type { Selector } from './selectors.ts';
import type { Store, StoredChange } from './store.ts';
import { metadataOnly, tableOf } from './table.ts';
import type { Presentation } from './table.ts';

export interface WatchRequest {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly query: URLSearchParams;
  readonly presentation: Presentation;
}

/** An open watch, which a test can take hold of. */
export class Watch {
  readonly request: WatchRequest;
  readonly #response: ServerResponse;
  readonly #selector: Selector | undefined;
  readonly #now: () => number;
  readonly #store: Store;
  #unsubscribe: () => void = () => {};
  #timers: NodeJS.Timeout[] = [];
  #isStalled = false;
  #hasHeader = true;
  #ended: (() => void) | undefined;

  /** @throws ApiError where the query asks for what cannot be */
  constructor(
    request: WatchRequest,
    store: Store,
    response: ServerResponse,
    now: () => number,
    bookmarkMs: number,
  ) {
    const { type, namespace, query } = request;
    this.request = request;
    this.#response = response;
    this.#store = store;
    this.#now = now;
    this.#selector = selectorOf(type, namespace, query);
    const from = readRevision(query.get('resourceVersion'));
    const match = query.get('resourceVersionMatch');
    const wantsInitial = query.get('sendInitialEvents') === 'true';
    if (query.has('sendInitialEvents') && match !== 'NotOlderThan') {
      throw listOptionsInvalid(
        'resourceVersionMatch',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      );
    }
    if (match !== null && !query.has('sendInitialEvents')) {
      throw listOptionsInvalid(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    }
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
    response.flushHeaders();
    if (wantsInitial && from !== undefined && from > store.revision) {
      this.#send({ type: 'ERROR', object: tooLarge(from, store.revision).toStatus() });
      this.end();
      return;
    }
    if (wantsInitial) this.#sendAll(true);
    else if (from === undefined || from === 0) {
      if (query.get('sendInitialEvents') !== 'false') this.#sendAll(false);
    } else if (!this.#sendSince(from)) return;
    // Who comes from a server that is ahead waits in silence until this one is there, too.
    this.#unsubscribe = store.subscribe((change) => {
      if (change.revision > (from ?? 0)) this.#sendChange(change);
    });
    response.on('close', () => this.#stop());
    const timeoutSeconds = Number(query.get('timeoutSeconds') ?? 0) || 1800 + Math.random() * 1800;
    this.#timers.push(
      setTimeout(() => {
        this.bookmark();
        this.end();
      }, timeoutSeconds * 1000),
      setInterval(() => this.bookmark(), bookmarkMs),
    );
    for (const timer of this.#timers) timer.unref();
  }

  /** Resolves when the stream is over. */
  get isOver(): Promise<void> {
    if (this.#response.closed || this.#response.writableEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#ended = resolve;
      this.#response.once('close', resolve);
    });
  }

  /** A bookmark now, where the client asked for bookmarks. */
  bookmark(annotations?: Readonly<Record<string, string>>): void {
    if (this.request.query.get('allowWatchBookmarks') !== 'true') return;
    const { type } = this.request;
    this.#send({
      type: 'BOOKMARK',
      object: {
        kind: type.kind,
        apiVersion: apiVersionOf(type),
        metadata: {
          resourceVersion: String(this.#store.revision),
          creationTimestamp: null,
          ...(annotations === undefined ? {} : { annotations }),
        },
      },
    });
  }

  /** From now on silence, on an open connection. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Closes as a server does that is restarted in good order. */
  end(): void {
    this.#response.end();
    this.#stop();
  }

  /** Resets the connection, on request after half an event. */
  reset(isMidLine = false): void {
    if (isMidLine) this.raw('{"type":"MODIFIED","object":{"apiVersion":"v1","kind":"Ha');
    this.#stop();
    // What was written has to be on its way, or the reset would overtake it.
    setTimeout(() => this.#response.socket?.resetAndDestroy(), isMidLine ? 20 : 0);
  }

  /** The revision that the client goes on from is forgotten. */
  expire(): void {
    const error = gone(`too old resource version: 1 (${this.#store.oldestRevision})`);
    this.#send({ type: 'ERROR', object: error.toStatus() });
    this.end();
  }

  /** Bytes as they are. */
  raw(bytes: string | Uint8Array): void {
    if (!this.#isStalled && !this.#response.writableEnded) this.#response.write(bytes);
  }

  #sendAll(hasEnd: boolean): void {
    for (const [, stored] of this.#store.list(storageOf(this.request.type)) ?? []) {
      const object = view(this.request.type, stored);
      if (this.#selector?.(object) ?? true) this.#sendEvent('ADDED', object);
    }
    if (hasEnd) this.bookmark({ 'k8s.io/initial-events-end': 'true' });
  }

  #sendSince(revision: number): boolean {
    const changes = this.#store.since(storageOf(this.request.type), revision);
    if (changes === undefined) {
      this.expire();
      return false;
    }
    for (const change of changes) this.#sendChange(change);
    return true;
  }

  /** An object that no longer matches is gone for this watch, and one that now does is new. */
  #sendChange(change: StoredChange): void {
    const { type } = this.request;
    if (change.storage !== storageOf(type)) return;
    const matches = (stored: KubeObject | undefined) =>
      stored !== undefined && (this.#selector?.(view(type, stored)) ?? true);
    const before = matches(change.previous);
    const isNow = change.type !== 'DELETED' && matches(change.object);
    if (!before && !isNow) return;
    if (isNow) {
      this.#sendEvent(before ? 'MODIFIED' : 'ADDED', view(type, change.object));
      return;
    }
    const last = change.type === 'DELETED' ? change.object : (change.previous ?? change.object);
    const { resourceVersion } = change.object.metadata;
    const metadata = { ...last.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    this.#sendEvent('DELETED', view(type, { ...last, metadata }));
  }

  #sendEvent(type: string, object: KubeObject): void {
    const { presentation, query } = this.request;
    if (presentation === 'object') this.#send({ type, object });
    else if (presentation === 'metadata') this.#send({ type, object: metadataOnly(object) });
    else {
      const listMeta = { resourceVersion: object.metadata.resourceVersion };
      const includeObject = query.get('includeObject');
      const table = tableOf(
        this.request.type,
        [object],
        listMeta,
        includeObject,
        this.#now(),
        this.#hasHeader,
      );
      this.#hasHeader = false;
      this.#send({ type, object: table });
    }
  }

  #send(event: Mapping): void {
    this.raw(`${JSON.stringify(event)}\n`);
  }

  #stop(): void {
    this.#unsubscribe();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#ended?.();
  }
}
