import type { ServerResponse } from 'node:http';
import type { FaultAction } from './faults.ts';
import { isMapping } from './objects.ts';

/** What is answered: a value as JSON, or nothing because the answer went its own way. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly contentType?: string;
}

/** Sends it as the API server does, unless faults have it otherwise. */
export function send(
  response: ServerResponse,
  { status, body, contentType = 'application/json' }: Answer,
  warnings: readonly string[],
  actions: readonly FaultAction[],
): void {
  if (actions.some((action) => action.do === 'lose-answer')) {
    response.socket?.destroy();
    return;
  }
  if (warnings.length > 0) {
    response.setHeader(
      'warning',
      warnings.map((text) => `299 - "${text.replaceAll('"', '\\"')}"`),
    );
  }
  const bytes = Buffer.from(typeof body === 'string' && !isMapping(body) ? body : JSON.stringify(body));
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': bytes.length,
    'cache-control': 'no-cache, private',
  });
  const reset = actions.find((action) => action.do === 'reset');
  if (reset === undefined) response.end(bytes);
  else {
    response.write(bytes.subarray(0, reset.afterBytes));
    // What was written has to be on its way, or the reset would overtake it.
    setTimeout(() => response.socket?.resetAndDestroy(), 20);
  }
}
