import type { Ask, ProbeEnvironment } from './attempt.ts';
import { ByteSearch } from './byte-search.ts';
import { failed, passed } from './outcome.ts';
import type { TcpQuestion } from './question.ts';
import { StreamAttempt } from './stream-attempt.ts';
import type { Talk } from './stream-attempt.ts';

/** What is read of an answer; a server that says more has not said what was expected. */
const answerLimit = 64 * 1024;

export function prepareTcp(question: TcpQuestion, environment: ProbeEnvironment): Ask {
  const send = question.sendHex === undefined ? undefined : Buffer.from(question.sendHex, 'hex');
  const expect = question.expectHex === undefined ? undefined : Buffer.from(question.expectHex, 'hex');
  const converse = (talk: Talk) => {
    if (send !== undefined) talk.socket.write(send);
    if (expect === undefined) talk.finish(passed);
    else listen(talk, expect);
  };
  return (target, timeoutMs, settle) =>
    new StreamAttempt({ target, timeoutMs, environment, settle, converse });
}

function listen({ socket, finish }: Talk, expect: Uint8Array): void {
  const search = new ByteSearch(expect);
  let total = 0;
  socket.on('data', (bytes: Buffer) => {
    total += bytes.length;
    if (search.push(bytes.subarray(0, answerLimit - (total - bytes.length)))) finish(passed);
    else if (total >= answerLimit) finish(failed('AnswerUnexpected'));
  });
  socket.once('end', () => finish(failed(total === 0 ? 'ClosedEarly' : 'AnswerUnexpected')));
}
