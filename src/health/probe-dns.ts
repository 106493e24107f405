import type { Ask, ProbeEnvironment } from './attempt.ts';
import { DatagramAttempt } from './datagram-attempt.ts';
import { decodeDnsResponse, encodeDnsQuery } from './dns-codec.ts';
import { failed, passed } from './outcome.ts';
import type { ProbeOutcome } from './outcome.ts';
import type { DnsQuestion } from './question.ts';
import { StreamAttempt } from './stream-attempt.ts';
import type { Talk } from './stream-attempt.ts';

export function prepareDns(question: DnsQuestion, environment: ProbeEnvironment): Ask {
  return (target, timeoutMs, settle) => {
    const id = Math.floor(environment.chance() * 0x1_0000);
    const payload = encodeDnsQuery(question, id);
    const judge = (answer: Uint8Array) => judgeAnswer(answer, question, id);
    const common = { target, timeoutMs, environment, settle };
    return question.transport === 'UDP'
      ? new DatagramAttempt({ ...common, payload, judge })
      : new StreamAttempt({ ...common, converse: (talk) => converse(talk, payload, judge) });
  };
}

/** Undefined: not the answer to our question. */
function judgeAnswer(answer: Uint8Array, question: DnsQuestion, id: number): ProbeOutcome | undefined {
  const reading = decodeDnsResponse(answer, question, id);
  switch (reading.kind) {
    case 'foreign':
      return undefined;
    case 'failed':
      return failed(reading.reason);
    case 'answers': {
      const isComplete = question.expect.every((record) => reading.records.includes(record));
      return isComplete ? passed : failed('AnswerUnexpected');
    }
  }
}

/** Over TCP, messages carry their length in front (RFC 1035, section 4.2.2). The largest fits into 64 KiB. */
function converse(
  { socket, finish }: Talk,
  payload: Uint8Array,
  judge: (answer: Uint8Array) => ProbeOutcome | undefined,
): void {
  const frame = Buffer.alloc(2 + payload.length);
  frame.writeUInt16BE(payload.length);
  frame.set(payload, 2);
  socket.write(frame);
  let received = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    if (received.length < 2 || received.length < 2 + received.readUInt16BE()) return;
    finish(judge(received.subarray(2, 2 + received.readUInt16BE())) ?? failed('AnswerUnexpected'));
  });
  socket.once('end', () => finish(failed('ClosedEarly')));
}
