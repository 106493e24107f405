import type { Ask, ProbeEnvironment } from './attempt.ts';
import { DatagramAttempt } from './datagram-attempt.ts';
import { failed, passed } from './outcome.ts';
import type { UdpQuestion } from './question.ts';

export function prepareUdp(question: UdpQuestion, environment: ProbeEnvironment): Ask {
  const payload = Buffer.from(question.payloadHex, 'hex');
  const expect = Buffer.from(question.expectHex, 'hex');
  const judge = (answer: Uint8Array) =>
    Buffer.from(answer).includes(expect) ? passed : failed('AnswerUnexpected');
  return (target, timeoutMs, settle) =>
    new DatagramAttempt({ target, timeoutMs, environment, settle, payload, judge });
}
