/** A few lines with which tests speak to the server, with nothing between them and HTTP. */
import type { KubeObject } from './objects.ts';
import type { ApiServer } from './start-api-server.ts';

export const crdBase = '/apis/networking.lvs-operator.io/v1alpha1';
export const services = `${crdBase}/namespaces/default/virtualservices`;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
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
  { url }: Pick<ApiServer, 'url'>,
  method: string,
  path: string,
  body?: unknown,
  kind: keyof typeof contentTypes = 'plain',
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': contentTypes[kind], 'user-agent': 'suite/1', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(text) as Reply['body'] };
}

/** The path of one VirtualService in `default`. */
export const service = (name: string) => `${services}/${name}`;

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

  constructor({ url }: Pick<ApiServer, 'url'>, path: string, headers: Readonly<Record<string, string>> = {}) {
    this.ended = this.#read(`${url}${path}`, headers);
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

  async #read(url: string, headers: Readonly<Record<string, string>>): Promise<string> {
    try {
      const response = await fetch(url, { headers, signal: this.#abort.signal });
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
