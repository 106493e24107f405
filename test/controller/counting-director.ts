/** The endpoint of a director as a controller sees it: counters over HTTPS behind a certificate of its own. */
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeCertificate } from '../kube/certificates.ts';

export interface CountedServer {
  total: number;
  active: number;
}

/** By address, for one VirtualService on port 80. */
export type Counted = Map<string, CountedServer>;

export class CountingDirector {
  readonly name: string;
  readonly services = new Map<string, Counted>();
  /** Rows of `agents`. */
  readonly agents: object[] = [];
  bootId = 'first';
  /** Its clock. */
  monotonicMs = (): number => performance.now();
  /** What it answers instead of counters. */
  answer: ((response: ServerResponse) => void) | undefined;
  /** Tokens that came. */
  readonly authorizations: (string | undefined)[] = [];
  readonly #certificate = makeCertificate('director');
  readonly #server = createServer(
    { key: this.#certificate.key, cert: this.#certificate.cert },
    (request, response) => this.#serve(request, response),
  );

  constructor(name: string) {
    this.name = name;
  }

  get certificateSHA256(): string {
    return new X509Certificate(this.#certificate.cert).fingerprint256.replaceAll(':', '').toLowerCase();
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  count(virtualService: string, address: string): CountedServer {
    const counted = this.services.get(virtualService) ?? new Map<string, CountedServer>();
    this.services.set(virtualService, counted);
    const server = counted.get(address) ?? { total: 0, active: 0 };
    counted.set(address, server);
    return server;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.authorizations.push(request.headers.authorization);
    if (this.answer !== undefined) return this.answer(response);
    const services = [...this.services].map(([virtualService, counted]) => ({
      virtualService,
      realServers: [...counted].map(([address, { total, active }]) => [address, 80, total, active, 0]),
    }));
    const { name: node, bootId, agents } = this;
    const monotonicMs = this.monotonicMs();
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(
        JSON.stringify({ version: 1, node, takenAtMs: Date.now(), monotonicMs, bootId, services, agents }),
      );
  }
}
