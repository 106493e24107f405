import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { AgentOptions } from 'node:https';
import { loadError } from './load-error.ts';

export interface BoundedGetOptions {
  /** For errors: whom we ask. */
  readonly source: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Keeps connections; its kind must be that of the URL. */
  readonly agent: HttpAgent | HttpsAgent;
  /** From the first attempt to connect to the last byte. */
  readonly timeoutMs: number;
  readonly mostBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * One GET of a text. A redirect is an answer like any other that is not 200: whoever answers must not send us elsewhere.
 *
 * @throws LvsError LVS_LOAD_SOURCE, or the signal's reason
 */
export async function boundedGet(options: BoundedGetOptions): Promise<string> {
  const { source, url, headers = {}, agent, timeoutMs, signal } = options;
  signal?.throwIfAborted();
  const deadline = AbortSignal.timeout(timeoutMs);
  const life = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  try {
    const response = await send(url, {
      headers: { ...headers, 'accept-encoding': 'identity' },
      agent,
      signal: life,
    });
    return await read(response, options);
  } catch (cause) {
    signal?.throwIfAborted();
    if (deadline.aborted) throw loadError(source, `did not answer within ${timeoutMs / 1000} s`, cause);
    if (isLoadError(cause)) throw cause;
    throw loadError(source, 'could not be asked', cause);
  }
}

interface SendOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: HttpAgent | HttpsAgent;
  readonly signal: AbortSignal;
}

function send(url: URL, options: SendOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    request(url, options, resolve).on('error', reject).end();
  });
}

async function read(response: IncomingMessage, { source, mostBytes }: BoundedGetOptions): Promise<string> {
  const { statusCode = 0 } = response;
  if (statusCode !== 200) {
    response.destroy();
    throw loadError(source, `answered with HTTP status ${statusCode}${meaningOf(statusCode)}`);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) {
      response.destroy();
      throw loadError(source, `sent more than ${mostBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function meaningOf(status: number): string {
  if (status >= 300 && status < 400) return ', and redirects are not followed';
  if (status === 401) return ': it does not know who asks';
  return status === 403 ? ': it does not allow that' : '';
}

function isLoadError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'LVS_LOAD_SOURCE';
}

const connections = { keepAlive: true, maxSockets: 4, maxFreeSockets: 2 } as const;

/** For `http:`. */
export function plainAgent(): HttpAgent {
  return new HttpAgent(connections);
}

/** For `https:` with a certificate of an authority. @param ca in PEM; undefined: those that Node.js trusts */
export function verifiedAgent(ca?: string): HttpsAgent {
  const options: AgentOptions = { ...connections, ...(ca === undefined ? {} : { ca }) };
  return new HttpsAgent(options);
}
