import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import { isLvsError } from '../base/index.ts';
import type { Clock, Timers } from '../base/index.ts';
import { isSameTls } from './credentials.ts';
import type { CredentialSource, Credentials, TlsMaterial } from './credentials.ts';
import {
  KubeError,
  kubeErrorFromAnswer,
  kubeErrorFromNetwork,
  kubeMalformed,
  kubeTimeout,
} from './kube-error.ts';

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** @default application/json */
  readonly contentType?: string;
  /** From sending to the last byte of the answer. @default the transport's */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface KubeStreamRequest {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** One conversation with the API server. Every failure is a KubeError, or the reason of the caller's signal. */
export interface KubeTransport {
  /** @returns the decoded JSON of a 2xx answer. */
  request(request: KubeRequest): Promise<unknown>;
  /** Resolves when the headers are here. How long to wait for the next chunk is the reader's business. */
  stream(request: KubeStreamRequest): Promise<AsyncIterable<Uint8Array>>;
  /** Ends every request and connection. */
  close(): Promise<void>;
}

/** One answer of the API server, or none. */
export interface ApiAnswer {
  readonly verb: KubeRequest['method'] | 'WATCH';
  /** `error`: nothing came, or not in time. */
  readonly code: number | 'error';
  /** From sending to the head of the answer. */
  readonly tookMs: number;
}

export interface TransportOptions {
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly timers: Timers;
  /** @default 30 000 */
  readonly timeoutMs?: number;
  /** As the API server's audit log shows it. @default lvs-operator */
  readonly userAgent?: string;
  /** Hears of every request that was sent. */
  readonly onAnswer?: ((answer: ApiAnswer) => void) | undefined;
  /** Makes the HTTP client for one set of TLS material. @default an undici Agent */
  readonly openAgent?: (options: Agent.Options) => Dispatcher;
}

/** Kubelet renews a token long before it expires; client-go reads it again as often as this. */
const credentialsLastMs = 60_000;
/** A page of 500 large objects is a few megabytes. */
const longestAnswerBytes = 64 * 1024 * 1024;
const callConnections = 16;

export function openTransport(options: TransportOptions): KubeTransport {
  return new Transport(options);
}

interface Connections {
  readonly tls: TlsMaterial;
  readonly server: string;
  readonly calls: Dispatcher;
  /** Apart from calls: a watch holds its connection for minutes and must never make a lease renewal queue. */
  readonly watches: Dispatcher;
}

class Transport implements KubeTransport {
  readonly #options: TransportOptions;
  readonly #retired = new Set<Dispatcher>();
  readonly #closing = new AbortController();
  #credentials: { value: Credentials; readAtMs: number } | undefined;
  #connections: Connections | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  async request(request: KubeRequest): Promise<unknown> {
    const operation = `${request.method} ${request.path}`;
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs ?? 30_000;
    return this.#withDeadline(operation, timeoutMs, request.signal, async (signal) => {
      const answer = await this.#send(request, signal, 'calls');
      const text = await answer.body.text();
      return decode(operation, text);
    });
  }

  async stream(request: KubeStreamRequest): Promise<AsyncIterable<Uint8Array>> {
    const operation = `WATCH ${request.path}`;
    const timeoutMs = this.#options.timeoutMs ?? 30_000;
    const life = AbortSignal.any([this.#closing.signal, ...(request.signal ? [request.signal] : [])]);
    const answer = await this.#withDeadline(operation, timeoutMs, life, (signal) =>
      this.#send({ method: 'GET', ...request }, signal, 'watches'),
    );
    return readBody(operation, answer.body, life);
  }

  async close(): Promise<void> {
    this.#closing.abort(kubeErrorFromNetwork('close', new Error('the client was closed')));
    const { calls, watches } = this.#connections ?? {};
    this.#connections = undefined;
    const agents = [...this.#retired, ...[calls, watches].filter((agent) => agent !== undefined)];
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  /**
   * Sends, and once more when the answer may be the fault of credentials that were replaced a moment ago, or of an idle
   * connection that the server closed while a GET was on its way.
   */
  async #send(
    request: KubeRequest,
    signal: AbortSignal,
    pool: 'calls' | 'watches',
  ): Promise<Dispatcher.ResponseData> {
    let credentials = await this.#readCredentials(false);
    let isRead = false;
    let isRepeated = false;
    for (;;) {
      try {
        return await this.#sendOnce(request, credentials, signal, pool);
      } catch (error) {
        if (signal.aborted) throw error;
        if (!isRead && isCredentialFailure(error)) {
          isRead = true;
          const fresh = await this.#readCredentials(true);
          if (isSameIdentity(credentials, fresh)) throw error;
          credentials = fresh;
        } else if (!isRepeated && request.method === 'GET' && isDroppedConnection(error)) {
          isRepeated = true;
        } else {
          throw error;
        }
      }
    }
  }

  async #sendOnce(
    request: KubeRequest,
    credentials: Credentials,
    signal: AbortSignal,
    pool: 'calls' | 'watches',
  ): Promise<Dispatcher.ResponseData> {
    const operation = `${request.method} ${request.path}`;
    const server = new URL(credentials.server);
    const query = request.query === undefined ? '' : `?${new URLSearchParams(request.query).toString()}`;
    let answer: Dispatcher.ResponseData;
    const sentMs = this.#options.clock.monotonicMs();
    const report = (code: ApiAnswer['code']): void => {
      const tookMs = this.#options.clock.monotonicMs() - sentMs;
      this.#options.onAnswer?.({ verb: pool === 'watches' ? 'WATCH' : request.method, code, tookMs });
    };
    try {
      answer = await this.#connect(credentials)[pool].request({
        origin: server.origin,
        path: `${server.pathname.replace(/\/$/, '')}${request.path}${query}`,
        method: request.method,
        headers: {
          accept: 'application/json',
          'user-agent': this.#options.userAgent ?? 'lvs-operator',
          ...credentials.headers,
          ...(request.body === undefined
            ? {}
            : { 'content-type': request.contentType ?? 'application/json' }),
        },
        body: request.body === undefined ? null : JSON.stringify(request.body),
        signal,
      });
    } catch (cause) {
      report('error');
      throw signal.aborted ? abortReason(operation, signal) : kubeErrorFromNetwork(operation, cause);
    }
    report(answer.statusCode);
    if (answer.statusCode < 200 || answer.statusCode > 299) throw await readRefusal(operation, answer);
    return answer;
  }

  async #readCredentials(isRefused: boolean): Promise<Credentials> {
    const nowMs = this.#options.clock.monotonicMs();
    const last = this.#credentials;
    if (!isRefused && last !== undefined && nowMs - last.readAtMs < credentialsLastMs) return last.value;
    try {
      const value = await this.#options.credentials.read(isRefused);
      this.#credentials = { value, readAtMs: nowMs };
      return value;
    } catch (error) {
      // In the middle of a rotation the old ones are the best there is; if they are too old, the server will say so.
      if (last === undefined) throw error;
      return last.value;
    }
  }

  #connect(credentials: Credentials): Connections {
    const last = this.#connections;
    const { server, tls } = credentials;
    if (last !== undefined && last.server === server && isSameTls(last.tls, tls)) return last;
    if (last !== undefined) {
      this.#retire(last.calls);
      this.#retire(last.watches);
    }
    const connect = {
      ca: tls.ca,
      cert: tls.cert,
      key: tls.key,
      servername: tls.serverName,
      rejectUnauthorized: !tls.isUnverified,
      timeout: 10_000,
    };
    // One HTTP/1.1 connection per watch: undici does not notice a dead HTTP/2 session that many watches share.
    const shared: Agent.Options = {
      connect,
      allowH2: false,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const open = this.#options.openAgent ?? ((agentOptions) => new Agent(agentOptions));
    this.#connections = {
      tls,
      server,
      calls: open({ ...shared, connections: callConnections, maxResponseSize: longestAnswerBytes }),
      watches: open(shared),
    };
    return this.#connections;
  }

  /** What runs on old connections runs to its end. */
  #retire(agent: Dispatcher): void {
    this.#retired.add(agent);
    void agent
      .close()
      .catch(() => {})
      .finally(() => this.#retired.delete(agent));
  }

  async #withDeadline<R>(
    operation: string,
    timeoutMs: number,
    caller: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<R>,
  ): Promise<R> {
    const deadline = new AbortController();
    const cancel = this.#options.timers.after(timeoutMs, () =>
      deadline.abort(kubeTimeout(operation, timeoutMs)),
    );
    const signal = AbortSignal.any([deadline.signal, this.#closing.signal, ...(caller ? [caller] : [])]);
    try {
      signal.throwIfAborted();
      return await work(signal);
    } catch (error) {
      if (signal.aborted) throw abortReason(operation, signal);
      throw isLvsError(error) ? error : kubeErrorFromNetwork(operation, error);
    } finally {
      cancel();
    }
  }
}

async function readRefusal(operation: string, answer: Dispatcher.ResponseData): Promise<KubeError> {
  const text = await answer.body.text().catch(() => '');
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = { message: text.slice(0, 200).trim() || `HTTP status ${answer.statusCode}` };
  }
  const retryAfter = answer.headers['retry-after'];
  return kubeErrorFromAnswer(
    operation,
    answer.statusCode,
    body,
    typeof retryAfter === 'string' ? retryAfter : undefined,
  );
}

async function* readBody(
  operation: string,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw signal.aborted ? abortReason(operation, signal) : kubeErrorFromNetwork(operation, cause);
  }
}

function decode(operation: string, text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw kubeMalformed(operation, `the answer is not JSON: ${text.slice(0, 80)}`);
  }
}

function abortReason(operation: string, signal: AbortSignal): unknown {
  return signal.reason instanceof Error ? signal.reason : kubeErrorFromNetwork(operation, 'aborted');
}

function isCredentialFailure(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  return error.status === 401 || /CERT|_TLS_|SIGNATURE|SSL/.test(networkCode(error));
}

function isDroppedConnection(error: unknown): boolean {
  return error instanceof KubeError && /^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/.test(networkCode(error));
}

/** The code of the network error behind ours: `ECONNRESET`, `UND_ERR_SOCKET`, `SELF_SIGNED_CERT_IN_CHAIN`. */
function networkCode(error: KubeError): string {
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

function isSameIdentity(a: Credentials, b: Credentials): boolean {
  return (
    a.server === b.server &&
    isSameTls(a.tls, b.tls) &&
    JSON.stringify(a.headers) === JSON.stringify(b.headers)
  );
}
