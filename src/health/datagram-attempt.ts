import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { ipFamily } from '../base/index.ts';
import type { Attempt, ProbeEnvironment, Settle } from './attempt.ts';
import { openMarkedSocket } from './marked-socket.ts';
import { outcomeOfError } from './network-error.ts';
import type { FailureReason, ProbeOutcome } from './outcome.ts';
import type { Target } from './question.ts';
import { outcomeOfErrno } from './stream-attempt.ts';

export interface DatagramOptions {
  readonly target: Target;
  readonly timeoutMs: number;
  readonly environment: ProbeEnvironment;
  readonly settle: Settle;
  readonly payload: Uint8Array;
  /** What an answer means; undefined: it is none of ours, keep waiting. */
  readonly judge: (answer: Uint8Array) => ProbeOutcome | undefined;
}

/** When the question is sent again, as shares of the timeout: a lost datagram is not a failed server. */
const repetitionShares = [0.3, 0.6];

/**
 * A question in one datagram, and its answer. The socket is connected, so that only the server's own answers arrive, and
 * a closed port is told by the kernel (ICMP port unreachable).
 */
export class DatagramAttempt implements Attempt {
  readonly #options: DatagramOptions;
  readonly #cancels: (() => void)[] = [];
  #socket: Socket | undefined;
  #isOver = false;

  constructor(options: DatagramOptions) {
    this.#options = options;
    const { target, environment } = options;
    const socket = createSocket(ipFamily(target.ip) === 'IPv4' ? 'udp4' : 'udp6');
    this.#socket = socket;
    socket.on('error', (error) => this.#finish(outcomeOfError(error)));
    socket.on('message', (answer) => {
      const outcome = options.judge(answer);
      if (outcome !== undefined) this.#finish(outcome);
    });
    if (target.route === undefined) {
      this.#connect(socket);
      return;
    }
    const fd = openMarkedSocket(environment.libc(), 'datagram', target.route);
    if (fd < 0) this.#finish(outcomeOfErrno(-fd));
    else socket.bind({ fd }, () => this.#connect(socket));
  }

  abandon(): FailureReason {
    this.#end();
    return 'AnswerTimeout';
  }

  #connect(socket: Socket): void {
    if (this.#isOver) return;
    const { target, timeoutMs, environment } = this.#options;
    socket.connect(target.port, target.ip, () => {
      this.#send();
      for (const share of repetitionShares)
        this.#cancels.push(environment.timers.after(timeoutMs * share, () => this.#send()));
    });
  }

  #send(): void {
    if (this.#isOver) return;
    this.#socket?.send(this.#options.payload, (error) => {
      if (error !== null) this.#finish(outcomeOfError(error));
    });
  }

  #finish(outcome: ProbeOutcome): void {
    if (this.#isOver) return;
    this.#end();
    this.#options.settle(outcome);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const cancel of this.#cancels) cancel();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.removeAllListeners();
    socket.on('error', () => {});
    socket.close();
  }
}
