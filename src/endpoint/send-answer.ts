import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { plainText } from './page.ts';
import type { PageAnswer } from './page.ts';

/** Shorter bodies are sent as they are. */
const leastGzipLength = 4096;
const longestAnswerMs = 60_000;

/** Sends an answer; a reader who is too slow or goes away is left. Never rejects. */
export async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: PageAnswer,
): Promise<void> {
  const { status, contentType, body } = answer;
  response.statusCode = status;
  response.setHeader('Content-Type', contentType);
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  // What comes after an unwanted body would be its rest.
  if (hasBody(request)) response.setHeader('Connection', 'close');
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const isShort = typeof body === 'string' && body.length < leastGzipLength;
  if (isShort) {
    response.end(body);
    return;
  }
  const source = Readable.from(typeof body === 'string' ? [body] : body);
  const signal = AbortSignal.timeout(longestAnswerMs);
  try {
    if (acceptsGzip(request)) {
      response.setHeader('Content-Encoding', 'gzip');
      // In the thread pool; the fastest level halves nothing of use more than the next ones.
      await pipeline(source, createGzip({ level: 1 }), response, { signal });
    } else await pipeline(source, response, { signal });
  } catch {
    response.destroy();
  }
}

export function textAnswer(status: number, text: string): PageAnswer {
  return { status, contentType: plainText, body: `${text}\n` };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function acceptsGzip({ headers }: IncomingMessage): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$|\s))/.test(String(headers['accept-encoding'] ?? ''));
}
