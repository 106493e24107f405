/** An HTTP server that answers as the test says, down to the single byte and the reset connection. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

export class ScriptedReply {
  readonly response: ServerResponse;

  constructor(response: ServerResponse) {
    this.response = response;
  }

  json(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): void {
    this.response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body));
  }

  /** A Status object, as the API server refuses. */
  refuse(status: number, reason: string, headers: Readonly<Record<string, string>> = {}): void {
    this.json(statusObject(status, reason), status, headers);
  }

  /** Begins a stream; a client waits for headers, so they go out at once. */
  open(): this {
    this.response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    return this;
  }

  event(type: string, object: unknown): this {
    return this.raw(`${JSON.stringify({ type, object })}\n`);
  }

  raw(bytes: string | Uint8Array): this {
    this.response.write(bytes);
    return this;
  }

  end(): void {
    this.response.end();
  }

  /** RST instead of FIN. */
  reset(): void {
    this.response.socket?.resetAndDestroy();
  }

  get isClosed(): boolean {
    return this.response.closed;
  }
}

export type Script = (request: ScriptedRequest, reply: ScriptedReply) => void | Promise<void>;

export interface ScriptedServer {
  readonly url: string;
  readonly requests: readonly ScriptedRequest[];
  /** Connections that were ever accepted. */
  readonly connections: number;
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  /** @default a free one */
  readonly port?: number;
}

export async function startScriptedServer(
  script: Script,
  options: ServerOptions = {},
): Promise<ScriptedServer> {
  const { tls, port: wantedPort = 0 } = options;
  const requests: ScriptedRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const listener = (message: IncomingMessage, response: ServerResponse): void => {
    void answer(message, response);
  };
  const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(message.url ?? '', 'http://localhost');
    const body = await text(message);
    const request = {
      method: message.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: message.headers,
      body: body === '' ? undefined : (JSON.parse(body) as unknown),
    };
    requests.push(request);
    await script(request, new ScriptedReply(response));
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(wantedPort, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    get connections() {
      return connections;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

export function statusObject(code: number, reason: string): Record<string, unknown> {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: `${reason} it is`, reason, code };
}
