/** A few lines with which tests speak to the server, with nothing between them and HTTP. */
import { fetch } from 'undici';
import type { Dispatcher, Response } from 'undici';
import type { KubeObject } from './objects.ts';

/** Where a server is, and what it wants to see of us. */
export interface Connection {
  readonly url: string;
  /** With the authorities and certificates of the server. */
  readonly dispatcher?: Dispatcher | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export const crdBase = '/apis/networking.lvs-operator.io/v1alpha1';

export interface Reply {
  readonly status: number;
  readonly headers: Response['headers'];
  /** An object, a list or a Status. */
  readonly body: KubeObject & {
    readonly items: KubeObject[];
    readonly message: string;
    readonly reason: string;
  };
}

const contentTypes = {
  plain: 'application/json',
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

export async function ask(
  connection: Connection,
  method: string,
  path: string,
  body?: unknown,
  kind: keyof typeof contentTypes = 'plain',
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const response = await fetch(`${connection.url}${path}`, {
    method,
    ...(connection.dispatcher && { dispatcher: connection.dispatcher }),
    headers: {
      'content-type': contentTypes[kind],
      'user-agent': 'suite/1',
      ...connection.headers,
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: readAnswer(text) };
}

/** Outside of its resources, an API server also answers in plain words. */
function readAnswer(text: string): Reply['body'] {
  const object = /^\s*\{/.test(text) ? (JSON.parse(text) as object) : { message: text.trim() };
  return object as Reply['body'];
}

/** Paths of VirtualServices in a namespace. */
export function pathsIn(namespace: string): {
  readonly services: string;
  readonly service: (name: string) => string;
} {
  const services = `${crdBase}/namespaces/${namespace}/virtualservices`;
  return { services, service: (name) => `${services}/${name}` };
}

export interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject & { readonly code?: number; readonly reason?: string };
}

/** An open watch; `events` collects what came, `ended` says how it ended. */
export class WatchClient {
  readonly events: WatchEvent[] = [];
  readonly ended: Promise<string>;
  #rest = '';
  readonly #abort = new AbortController();
  #notify: () => void = () => {};

  constructor(connection: Connection, path: string, headers: Readonly<Record<string, string>> = {}) {
    this.ended = this.#read(connection, path, headers);
  }

  /** What came last and is no whole line. */
  get rest(): string {
    return this.#rest;
  }

  /** Resolves with the events when there are so many. */
  async count(wanted: number): Promise<WatchEvent[]> {
    while (this.events.length < wanted) {
      const ended = await Promise.race([
        this.ended,
        new Promise<undefined>((resolve) => {
          this.#notify = () => resolve(undefined);
        }),
      ]);
      if (ended !== undefined && this.events.length < wanted) {
        throw new Error(`${ended} after ${this.events.length} of ${wanted} events`);
      }
    }
    return this.events;
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(
    connection: Connection,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<string> {
    try {
      const response = await fetch(`${connection.url}${path}`, {
        ...(connection.dispatcher && { dispatcher: connection.dispatcher }),
        headers: { ...connection.headers, ...headers },
        signal: this.#abort.signal,
      });
      if (response.body === null || !response.ok) return `status ${response.status}`;
      const decoder = new TextDecoder();
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        this.#rest += decoder.decode(chunk, { stream: true });
        const lines = this.#rest.split('\n');
        this.#rest = lines.pop() ?? '';
        for (const line of lines) this.events.push(JSON.parse(line) as WatchEvent);
        this.#notify();
      }
      return 'ended';
    } catch (error) {
      return this.#abort.signal.aborted ? 'closed' : `broke: ${String(error)}`;
    }
  }
}
