/** Asks the HTTP endpoint of a director from any host, without starting a program there. */
import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { LabHost } from './host.ts';
import type { LabSockets } from './sockets.ts';

export interface EndpointQuestion {
  readonly path: string;
  /** @default 127.0.0.1, without TLS; every other address with */
  readonly address?: string;
  /** @default 9441 */
  readonly port?: number;
  readonly token?: string;
  /** @default 20 000 */
  readonly timeoutMs?: number;
}

export interface EndpointAnswer {
  readonly status: number;
  readonly body: string;
  /** SHA-256 of what was shown; undefined without TLS. */
  readonly certificate: string | undefined;
}

/** @throws Error when no answer comes in that time. */
export async function askEndpoint(
  sockets: LabSockets,
  host: LabHost,
  question: EndpointQuestion,
): Promise<EndpointAnswer> {
  const { path, address = '127.0.0.1', port = 9441, token, timeoutMs = 20_000 } = question;
  const raw = sockets.connect(host, address, port);
  let tls: TLSSocket | undefined;
  const createConnection = () => {
    if (address === '127.0.0.1') return raw;
    tls = connectTls({ socket: raw, rejectUnauthorized: false });
    return tls;
  };
  try {
    return await new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          path,
          createConnection,
          headers: { host: 'director', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
          signal: AbortSignal.timeout(timeoutMs),
        },
        (response) => {
          const certificate = tls && createHash('sha256').update(tls.getPeerCertificate().raw).digest('hex');
          let body = '';
          response
            .setEncoding('utf8')
            .on('data', (text: string) => (body += text))
            .on('end', () => resolve({ status: response.statusCode ?? 0, body, certificate }))
            .on('error', reject);
        },
      );
      request.on('error', reject).end();
    });
  } finally {
    tls?.destroy();
    raw.destroy();
  }
}
