import type { Duplex } from 'node:stream';
import type { Ask, ProbeEnvironment } from './attempt.ts';
import { settledAttempt } from './attempt.ts';
import { searchFor } from './byte-search.ts';
import type { StreamSearch } from './byte-search.ts';
import { formatHttpRequest } from './http-request.ts';
import { HttpResponseReader } from './http-response.ts';
import type { HttpProgress } from './http-response.ts';
import { failed, passed, voided } from './outcome.ts';
import type { ProbeOutcome } from './outcome.ts';
import type { HttpQuestion } from './question.ts';
import { StreamAttempt } from './stream-attempt.ts';
import { prepareTls, secure } from './tls.ts';

/** HTTP/1.1 by hand: Node's client follows no redirect either, but it costs several times as much. */
export function prepareHttp(question: HttpQuestion, environment: ProbeEnvironment): Ask {
  const tls = question.tls === undefined ? undefined : prepareTls(question.tls, ['http/1.1']);
  if (question.tls !== undefined && tls === undefined) {
    return (_target, _timeoutMs, settle) => {
      settle(voided('Misconfigured'));
      return settledAttempt;
    };
  }
  const startSearch = question.body === undefined ? undefined : searchFor(question.body);
  return (target, timeoutMs, settle) => {
    const request = formatHttpRequest(question, target);
    const exchange = (socket: Duplex, finish: (outcome: ProbeOutcome) => void) => {
      socket.write(request);
      readAnswer(socket, question, startSearch?.(), finish);
    };
    return new StreamAttempt({
      target,
      timeoutMs,
      environment,
      settle,
      converse: (talk) => {
        if (tls === undefined) return exchange(talk.socket, talk.finish);
        secure(talk, target, tls, ({ socket, certificateEndsMs }) =>
          exchange(socket, (outcome) =>
            talk.finish(outcome.kind === 'passed' ? { ...outcome, certificateEndsMs } : outcome),
          ),
        );
      },
    });
  };
}

function readAnswer(
  socket: Duplex,
  question: HttpQuestion,
  search: StreamSearch | undefined,
  finish: (outcome: ProbeOutcome) => void,
): void {
  let isFound = false;
  const reader = new HttpResponseReader(question.method, (part) => {
    isFound ||= search?.push(part) === true;
  });
  let hasHead = false;
  const judge = (progress: HttpProgress): void => {
    if (progress.kind === 'failed') {
      // A body that is too large was searched as far as a probe reads.
      const isBody = hasHead && progress.reason === 'AnswerTooLarge';
      finish(failed(isBody ? 'BodyUnexpected' : progress.reason));
    } else if (progress.kind === 'complete') {
      finish(search?.end() === true ? passed : failed('BodyUnexpected'));
    }
  };
  const takeBody = (bytes: Uint8Array): void => {
    const progress = reader.pushBody(bytes);
    if (isFound) finish(passed);
    else judge(progress);
  };
  socket.on('data', (bytes: Buffer) => {
    if (hasHead) return takeBody(bytes);
    const { progress, rest } = reader.pushHead(bytes);
    if (progress.kind !== 'head') return judge(progress);
    hasHead = true;
    const { status } = progress;
    if (!question.statuses.some(([first, last]) => first <= status && status <= last)) {
      finish(failed('StatusUnexpected'));
    } else if (search === undefined) finish(passed);
    else takeBody(rest);
  });
  socket.once('end', () => judge(hasHead ? reader.end() : { kind: 'failed', reason: 'ClosedEarly' }));
}
