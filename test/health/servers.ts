import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { readdirSync } from 'node:fs';
import { parseIpAddress } from '../../src/base/index.ts';
import { loadLibc } from '../../src/netlink/index.ts';
import { EchoSockets } from '../../src/health/echo-sockets.ts';
import type { ProbeOutcome } from '../../src/health/outcome.ts';
import { prepareQuestion } from '../../src/health/prepare-question.ts';
import type { Question, Target } from '../../src/health/question.ts';
import { realTimers } from './timers.ts';

export const environment = {
  timers: realTimers,
  chance: Math.random,
  libc: loadLibc,
  echoSockets: new EchoSockets(loadLibc, realTimers),
};

/** A listener on loopback that treats every connection in one way, and can be taken down with all of them. */
export class TestServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
  }

  get open(): number {
    return this.#sockets.size;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export function serve(onConnection: (socket: Socket) => void): Promise<TestServer> {
  return new TestServer(createServer(onConnection)).start();
}

export interface Asked {
  /** `passed`, a reason, or `void` and a reason. */
  readonly outcome: string;
  readonly tookMs: number;
  readonly full: ProbeOutcome;
}

/** A port of loopback, or any target. */
type AskedTarget = number | Target;

/** Asks once, with the total deadline that the prober keeps. */
export async function askOnce(question: Question, asked: AskedTarget, timeoutMs = 1000): Promise<Asked> {
  const target = typeof asked === 'number' ? { ip: parseIpAddress('127.0.0.1'), port: asked } : asked;
  const ask = prepareQuestion(question, environment);
  const startMs = performance.now();
  const full = await new Promise<ProbeOutcome>((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const attempt = ask(target, timeoutMs, (outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    });
    timer = setTimeout(() => resolve({ kind: 'failed', reason: attempt.abandon() }), timeoutMs);
  });
  const outcome =
    full.kind === 'passed' ? 'passed' : full.kind === 'failed' ? full.reason : `void ${full.reason}`;
  return { outcome, tookMs: performance.now() - startMs, full };
}

export function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
