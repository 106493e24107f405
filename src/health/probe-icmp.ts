import { errno } from '../netlink/index.ts';
import type { Ask, Attempt, ProbeEnvironment, Settle } from './attempt.ts';
import type { EchoId } from './icmp-codec.ts';
import { failed, passed } from './outcome.ts';
import type { FailureReason, ProbeOutcome } from './outcome.ts';
import type { Target } from './question.ts';
import { outcomeOfErrno } from './stream-attempt.ts';

/** When the ping is repeated, as shares of the timeout. */
const repetitionShares = [0.3, 0.6];

export function prepareIcmp(environment: ProbeEnvironment): Ask {
  return (target, timeoutMs, settle) => new EchoAttempt(environment, target, timeoutMs, settle);
}

class EchoAttempt implements Attempt {
  readonly #environment: ProbeEnvironment;
  readonly #target: Target;
  readonly #settle: Settle;
  readonly #echo: EchoId;
  readonly #cancels: (() => void)[] = [];
  #isOver = false;

  // oxlint-disable-next-line max-params -- mirrors Ask, with the environment in front
  constructor(environment: ProbeEnvironment, target: Target, timeoutMs: number, settle: Settle) {
    this.#environment = environment;
    this.#target = target;
    this.#settle = settle;
    const number16 = () => Math.floor(environment.chance() * 0x1_0000);
    this.#echo = { id: number16(), sequence: number16() };
    this.#cancels.push(environment.echoSockets.wait(target.ip, this.#echo, () => this.#finish(passed)));
    this.#send();
    if (this.#isOver) return;
    for (const share of repetitionShares)
      this.#cancels.push(environment.timers.after(timeoutMs * share, () => this.#send()));
  }

  abandon(): FailureReason {
    this.#end();
    return 'AnswerTimeout';
  }

  #send(): void {
    const error = this.#environment.echoSockets.send(this.#target.ip, this.#echo);
    if (error === 0) return;
    const isNoRoute = error === errno.ENETUNREACH || error === errno.ENETDOWN;
    const isUnreachable = error === hostUnreachable;
    this.#finish(
      isNoRoute ? failed('NoRoute') : isUnreachable ? failed('HostUnreachable') : outcomeOfErrno(error),
    );
  }

  #finish(outcome: ProbeOutcome): void {
    if (this.#isOver) return;
    this.#end();
    this.#settle(outcome);
  }

  #end(): void {
    this.#isOver = true;
    for (const cancel of this.#cancels) cancel();
  }
}

/** EHOSTUNREACH, which no netlink request returns. */
const hostUnreachable = 113;
