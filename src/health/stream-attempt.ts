import { Socket } from 'node:net';
import { errno } from '../netlink/index.ts';
import type { Attempt, ProbeEnvironment, Settle } from './attempt.ts';
import { openMarkedSocket } from './marked-socket.ts';
import { outcomeOfError } from './network-error.ts';
import { failed, voided } from './outcome.ts';
import type { FailureReason, ProbeOutcome } from './outcome.ts';
import type { Target } from './question.ts';

/** What a conversation may do to its attempt. */
export interface Talk {
  readonly socket: Socket;
  /** Ends the attempt; everything after the first call is ignored. */
  readonly finish: (outcome: ProbeOutcome) => void;
  /** Says what to free at the end beside the socket. */
  readonly onEnd: (release: () => void) => void;
}

export interface StreamOptions {
  readonly target: Target;
  readonly timeoutMs: number;
  readonly environment: ProbeEnvironment;
  readonly settle: Settle;
  /** Called once, with a connected socket. */
  readonly converse: (talk: Talk) => void;
}

/**
 * When a connection is tried a second time beside the first, as a share of the timeout. Linux repeats a lost SYN only
 * after a second, which is our whole timeout: without a second try every lost packet would be a failed probe.
 */
const redialShare = 0.4;

/**
 * One connection and what is said on it. Whatever way it ends, every socket is closed at once, and by a reset: probes are
 * short and many, and a reset leaves no TIME_WAIT behind that would use up our ports.
 */
export class StreamAttempt implements Attempt {
  readonly #options: StreamOptions;
  /** Dialled and not yet closed; at most two. */
  readonly #sockets = new Set<Socket>();
  readonly #releases: (() => void)[] = [];
  #cancelRedial: () => void = () => {};
  #waitingFor: FailureReason = 'ConnectTimeout';
  #isOver = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#dial();
    if (!this.#isOver) {
      const { environment, timeoutMs } = options;
      this.#cancelRedial = environment.timers.after(timeoutMs * redialShare, () => this.#dial());
    }
  }

  abandon(): FailureReason {
    this.#end();
    return this.#waitingFor;
  }

  #dial(): void {
    const { target, environment } = this.#options;
    const socket = openSocket(target, environment);
    if ('kind' in socket) return this.#finish(socket);
    this.#sockets.add(socket);
    socket.on('error', (error) => this.#finish(outcomeOfError(error)));
    socket.once('connect', () => this.#converse(socket));
    // What was not said by then will not be said any more; who knows better has finished before.
    socket.once('close', () => this.#finish(failed('ClosedEarly')));
    socket.connect({ host: target.ip, port: target.port, autoSelectFamily: false });
  }

  #converse(socket: Socket): void {
    if (this.#isOver) return;
    this.#cancelRedial();
    for (const other of this.#sockets) if (other !== socket) this.#close(other);
    this.#waitingFor = 'AnswerTimeout';
    this.#options.converse({
      socket,
      finish: (outcome) => this.#finish(outcome),
      onEnd: (release) => this.#releases.push(release),
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
    this.#cancelRedial();
    for (const socket of this.#sockets) this.#close(socket);
    for (const release of this.#releases) release();
  }

  #close(socket: Socket): void {
    this.#sockets.delete(socket);
    socket.removeAllListeners();
    // A socket that is being closed may still find out that it had an error.
    socket.on('error', () => {});
    // While it connects, resetAndDestroy() would wait for the connection.
    if (socket.connecting) socket.destroy();
    else socket.resetAndDestroy();
  }
}

function openSocket({ route }: Target, environment: ProbeEnvironment): Socket | ProbeOutcome {
  if (route === undefined) return new Socket();
  const fd = openMarkedSocket(environment.libc(), 'stream', route);
  if (fd < 0) return outcomeOfErrno(-fd);
  // Without manualStart Node would read at once, and fail, since nothing is connected yet.
  const options = { fd, readable: true, writable: true, manualStart: true };
  return new Socket(options);
}

/** Why a marked socket could not be had: there is no address or permission for it, or nothing left. */
export function outcomeOfErrno(value: number): ProbeOutcome {
  const isMisconfigured = value === errno.EPERM || value === errno.EACCES || value === errno.EADDRNOTAVAIL;
  return voided(isMisconfigured ? 'Misconfigured' : 'LocalResources');
}
