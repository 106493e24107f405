import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { formatErrorForPeople } from '../base/index.ts';
import type { Logger, Timers } from '../base/index.ts';
import type { AccessReview, AccessVerdict } from './access-review.ts';
import { ConnectionBudget } from './connection-budget.ts';
import type { ListenAddress } from './listen-address.ts';
import type { Page, PageAnswer } from './page.ts';
import type { SelfSignedCertificate } from './self-signed-certificate.ts';
import { sendAnswer, textAnswer } from './send-answer.ts';

export interface EndpointOptions {
  readonly listen: ListenAddress;
  /** By path. */
  readonly pages: ReadonlyMap<string, Page>;
  /** Undefined: without TLS. */
  readonly certificate?: SelfSignedCertificate | undefined;
  /** Undefined: every page is for everybody who reaches the address. */
  readonly access?: Pick<AccessReview, 'review'> | undefined;
  readonly timers: Timers;
  readonly logger: Logger;
}

export interface Endpoint {
  /** Undefined as long as the port cannot be had. */
  readonly port: number | undefined;
  /** Answers given so far, by path and status; other paths than those of pages are one: `other`. */
  readonly answers: readonly { readonly path: string; readonly status: number; readonly count: number }[];
  /** Ends every connection. */
  close(): Promise<void>;
}

const limits: ServerOptions = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 5000,
  requestTimeout: 10_000,
  /** Whoever scrapes twice a minute keeps its connection. */
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
};
/** A connection without any progress. */
const silenceMs = 30_000;
/** Answers of other pages than open ones that are made at a time: each may be long. */
const mostAnswers = 8;
const retryMs = 5000;

/**
 * Listens, and answers by the pages. A port that is taken is tried again and again: what the process is for goes on
 * without it. Resolves after the first attempt.
 */
export async function openEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const { certificate, listen, timers, logger } = options;
  const answers = new Map<string, { path: string; status: number; count: number }>();
  const handler = new RequestHandler(options, (path, status) => {
    const key = `${path} ${status}`;
    const known = answers.get(key);
    if (known === undefined) answers.set(key, { path, status, count: 1 });
    else known.count++;
  });
  const handle = (request: IncomingMessage, response: ServerResponse): void =>
    void handler.handle(request, response);
  const server: Server =
    certificate === undefined
      ? createServer(limits, handle)
      : createTlsServer(
          {
            ...limits,
            key: certificate.key,
            cert: certificate.cert,
            minVersion: 'TLSv1.2',
            handshakeTimeout: 5000,
          },
          handle,
        );
  const budget = new ConnectionBudget();
  server.on('connection', (socket) => budget.take(socket));
  server.setTimeout(silenceMs, (socket) => socket.destroy());
  // A connection that cannot be accepted (no file left, say) is no reason to end.
  server.on('error', () => {});
  let cancelRetry = (): void => {};
  let isClosed = false;
  let failure = '';
  const tryToListen = async (): Promise<void> => {
    try {
      await startListening(server, listen);
      logger.info('endpoint open', { address: listen.host ?? '*', port: portOf(server) });
    } catch (error) {
      const reason = formatErrorForPeople(error);
      if (reason !== failure)
        logger.warn('the endpoint cannot listen yet; everything else goes on', { reason });
      failure = reason;
      if (!isClosed) cancelRetry = timers.after(retryMs, () => void tryToListen());
    }
  };
  await tryToListen();
  return {
    get port() {
      return server.listening ? portOf(server) : undefined;
    },
    get answers() {
      return [...answers.values()];
    },
    close: async () => {
      isClosed = true;
      cancelRetry();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

class RequestHandler {
  readonly #options: EndpointOptions;
  readonly #count: (path: string, status: number) => void;
  #running = 0;

  constructor(options: EndpointOptions, count: (path: string, status: number) => void) {
    this.#options = options;
    this.#count = count;
  }

  /** Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace(/\?.*$/s, '');
    const page = this.#options.pages.get(path);
    const send = (answer: PageAnswer): Promise<void> => {
      this.#count(page === undefined ? 'other' : path, answer.status);
      return sendAnswer(request, response, answer);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return send(textAnswer(405, 'Only GET and HEAD.'));
    }
    if (page === undefined) return send(textAnswer(404, 'There is no such page.'));
    if (page.isOpen) return send(await this.#ask(page));
    const { access } = this.#options;
    const verdict =
      access === undefined ? 'allowed' : await access.review(request.headers.authorization, path);
    if (verdict !== 'allowed') {
      if (verdict === 'unauthenticated') response.setHeader('WWW-Authenticate', 'Bearer');
      return send(refusals[verdict]);
    }
    if (this.#running >= mostAnswers) return send(textAnswer(503, 'Too many are reading; try again.'));
    this.#running++;
    try {
      await send(await this.#ask(page));
    } finally {
      this.#running--;
    }
  }

  async #ask(page: Page): Promise<PageAnswer> {
    try {
      return await page.answer();
    } catch (error) {
      this.#options.logger.warn('a page could not be made', { error });
      return textAnswer(500, 'This page could not be made; the log says why.');
    }
  }
}

const refusals: Readonly<Record<Exclude<AccessVerdict, 'allowed'>, PageAnswer>> = {
  unauthenticated: textAnswer(401, 'Send the token of a service account: Authorization: Bearer TOKEN.'),
  forbidden: textAnswer(403, 'Needs the right to get this path: a ClusterRole with it in nonResourceURLs.'),
  unavailable: textAnswer(503, 'The API server could not be asked who you are.'),
};

async function startListening(server: Server, { host, port }: ListenAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      server.off('listening', succeed);
      reject(error);
    };
    const succeed = (): void => {
      server.off('error', fail);
      resolve();
    };
    server.once('error', fail).once('listening', succeed);
    server.listen({ port, ...(host === undefined ? {} : { host }) });
  });
}

function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : undefined;
}
