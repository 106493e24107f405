import type { Duplex } from 'node:stream';
import type { Ask, ProbeEnvironment } from './attempt.ts';
import { settledAttempt } from './attempt.ts';
import { failed, passed, voided } from './outcome.ts';
import type { ProbeOutcome } from './outcome.ts';
import type { SmtpQuestion, Target } from './question.ts';
import { SmtpReplyReader } from './smtp-reply.ts';
import type { SmtpReply } from './smtp-reply.ts';
import { StreamAttempt } from './stream-attempt.ts';
import type { Talk } from './stream-attempt.ts';
import { prepareTls, secure } from './tls.ts';
import type { PreparedTls } from './tls.ts';

/** What a whole conversation may hold; the longest greeting is far below. */
const answerLimit = 64 * 1024;

/**
 * Greets a mail server and takes leave: 220, EHLO, 250, and with STARTTLS once more inside of TLS. The last word is a
 * QUIT that nobody waits for, so that the server's log says that the client left in good order.
 */
export function prepareSmtp(question: SmtpQuestion, environment: ProbeEnvironment): Ask {
  const tls = question.startTls === undefined ? undefined : prepareTls(question.startTls, []);
  if (question.startTls !== undefined && tls === undefined) {
    return (_target, _timeoutMs, settle) => {
      settle(voided('Misconfigured'));
      return settledAttempt;
    };
  }
  return (target, timeoutMs, settle) =>
    new StreamAttempt({
      target,
      timeoutMs,
      environment,
      settle,
      converse: (talk) => greet(talk, target, question, tls),
    });
}

function greet(talk: Talk, target: Target, { heloName }: SmtpQuestion, tls: PreparedTls | undefined): void {
  const { socket, finish } = talk;
  const steps: Step[] = [
    { code: 220, proceed: () => socket.write(`EHLO ${heloName}\r\n`) },
    {
      code: 250,
      proceed: ({ hasStartTls }) => {
        if (tls === undefined) leave(socket, finish, passed);
        else if (hasStartTls) socket.write('STARTTLS\r\n');
        else finish(failed('TlsFailed'));
      },
    },
    {
      code: 220,
      proceed: () => {
        if (tls === undefined) return;
        socket.removeAllListeners('data');
        secure(talk, target, tls, ({ socket: inner, certificateEndsMs }) => {
          inner.write(`EHLO ${heloName}\r\n`);
          const done = () => leave(inner, finish, { kind: 'passed', certificateEndsMs });
          follow(inner, [{ code: 250, proceed: done }], finish);
        });
      },
    },
  ];
  follow(socket, steps, finish);
}

interface Step {
  /** The reply that leads on. */
  readonly code: number;
  readonly proceed: (reply: Extract<SmtpReply, { kind: 'reply' }>) => void;
}

function follow(socket: Duplex, steps: readonly Step[], finish: (outcome: ProbeOutcome) => void): void {
  const reader = new SmtpReplyReader();
  let at = 0;
  let total = 0;
  socket.on('data', (bytes: Buffer) => {
    total += bytes.length;
    if (total > answerLimit) return finish(failed('AnswerTooLarge'));
    const reply = reader.push(bytes);
    if (reply.kind === 'malformed') return finish(failed('AnswerMalformed'));
    if (reply.kind === 'reading') return;
    const step = steps[at++];
    if (step === undefined || reply.code !== step.code) return finish(failed('StatusUnexpected'));
    step.proceed(reply);
  });
  socket.once('end', () => finish(failed('ClosedEarly')));
}

/** The reset that ends every probe would overtake the QUIT if it were not written out first. */
function leave(socket: Duplex, finish: (outcome: ProbeOutcome) => void, outcome: ProbeOutcome): void {
  socket.write('QUIT\r\n', () => finish(outcome));
}
