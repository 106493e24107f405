import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { boundedGet, plainAgent, verifiedAgent } from './bounded-get.ts';
import { isRecord } from './is-record.ts';
import { loadError } from './load-error.ts';

export interface PrometheusOptions {
  /** `http://prometheus.monitoring:9090`, perhaps with a path. Whoever runs the operator chooses it. */
  readonly url: URL;
  /** Read anew for each question. */
  readonly authorization?: (() => Promise<string>) | undefined;
  /** In PEM, for https. */
  readonly ca?: string | undefined;
}

/** One entry of the answer. */
export interface PrometheusSample {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly timestampMs: number;
  /** NaN and infinities are values of PromQL. */
  readonly value: number;
}

const timeoutMs = 5000;
/** Two hundred bytes for each of 20,000 pods. */
const mostBytes = 4 * 1024 * 1024;
/** Queries are written by people who may not see all of Prometheus's load. */
const mostQueries = 4;

/** Instant queries to one Prometheus, a few at a time. */
export class PrometheusClient {
  readonly #options: PrometheusOptions;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: PrometheusOptions) {
    this.#options = options;
    this.#agent = options.url.protocol === 'https:' ? verifiedAgent(options.ca) : plainAgent();
  }

  /**
   * @returns the samples of an instant vector, evaluated now.
   * @throws LvsError LVS_LOAD_SOURCE, or the signal's reason
   */
  async query(query: string, signal?: AbortSignal): Promise<readonly PrometheusSample[]> {
    await this.#enter();
    try {
      return await this.#ask(query, signal);
    } finally {
      this.#leave();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #ask(query: string, signal: AbortSignal | undefined): Promise<readonly PrometheusSample[]> {
    const { url, authorization } = this.#options;
    const asked = new URL(`${url.pathname.replace(/\/$/, '')}/api/v1/query`, url);
    asked.searchParams.set('query', query);
    asked.searchParams.set('timeout', `${timeoutMs / 1000}s`);
    const text = await boundedGet({
      source,
      url: asked,
      headers: authorization === undefined ? {} : { authorization: await authorization() },
      agent: this.#agent,
      timeoutMs: timeoutMs + 500,
      mostBytes,
      signal,
    });
    return parseVector(text);
  }

  async #enter(): Promise<void> {
    while (this.#running >= mostQueries) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }

  #leave(): void {
    this.#running--;
    this.#waiting.shift()?.();
  }
}

const source = 'Prometheus';

function parseVector(text: string): readonly PrometheusSample[] {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw loadError(source, 'sent an answer that is no JSON', cause);
  }
  const data = isRecord(answer) ? answer['data'] : undefined;
  if (!isRecord(data) || !Array.isArray(data['result']))
    throw loadError(source, 'sent an answer without a result');
  if (data['resultType'] !== 'vector')
    throw loadError(
      source,
      `has a ${String(data['resultType'])} for the query, and an instant vector is needed`,
    );
  return data['result'].flatMap((entry): PrometheusSample[] => {
    if (!isRecord(entry) || !isRecord(entry['metric']) || !Array.isArray(entry['value'])) return [];
    const [seconds, value] = entry['value'] as unknown[];
    return [{ labels: entry['metric'], timestampMs: Number(seconds) * 1000, value: Number(value) }];
  });
}
