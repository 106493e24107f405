import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Ask, ProbeEnvironment } from './attempt.ts';
import { settledAttempt } from './attempt.ts';
import {
  encodeGrpcHealthRequest,
  grpcAnswerLimit,
  grpcHealthPath,
  judgeGrpcHealthResponse,
} from './grpc-codec.ts';
import { failed, passed, voided } from './outcome.ts';
import type { ProbeOutcome } from './outcome.ts';
import type { GrpcQuestion, Target } from './question.ts';
import { StreamAttempt } from './stream-attempt.ts';
import type { Talk } from './stream-attempt.ts';
import { prepareTls, secure } from './tls.ts';

/** Limits on what a server can make us keep; the rest of HTTP/2 is Node's. */
const sessionLimits = {
  settings: { enablePush: false, maxHeaderListSize: 8 * 1024, initialWindowSize: 16 * 1024 },
  maxSessionMemory: 1,
  maxHeaderListPairs: 64,
  maxReservedRemoteStreams: 0,
  maxOutstandingPings: 1,
  maxOutstandingSettings: 4,
  maxSessionInvalidFrames: 10,
} as const;

/** grpc-status of the service itself (google.rpc.Code). */
const statusOk = 0;
const statusNotFound = 5;

export function prepareGrpc(question: GrpcQuestion, environment: ProbeEnvironment): Ask {
  const tls = question.tls === undefined ? undefined : prepareTls(question.tls, ['h2']);
  if (question.tls !== undefined && tls === undefined) {
    return (_target, _timeoutMs, settle) => {
      settle(voided('Misconfigured'));
      return settledAttempt;
    };
  }
  const request = Buffer.from(encodeGrpcHealthRequest(question.service));
  return (target, timeoutMs, settle) =>
    new StreamAttempt({
      target,
      timeoutMs,
      environment,
      settle,
      converse: (talk) => {
        if (tls === undefined) return exchange(talk, talk.socket, target, request);
        secure(talk, target, tls, ({ socket, certificateEndsMs }) => {
          const finish = (outcome: ProbeOutcome) =>
            talk.finish(outcome.kind === 'passed' ? { ...outcome, certificateEndsMs } : outcome);
          if (socket.alpnProtocol !== 'h2') return finish(failed('TlsFailed'));
          exchange({ ...talk, finish }, socket, target, request);
        });
      },
    });
}

function exchange(talk: Talk, socket: Duplex, target: Target, request: Buffer): void {
  const { finish } = talk;
  const scheme = socket === talk.socket ? 'http' : 'https';
  const host = target.ip.includes(':') ? `[${target.ip}]` : target.ip;
  const session = connect(`${scheme}://${host}:${target.port}`, {
    ...sessionLimits,
    createConnection: () => socket,
  });
  talk.onEnd(() => destroyQuietly(session));
  session.on('error', () => finish(failed('AnswerMalformed')));
  session.once('close', () => finish(failed('ClosedEarly')));
  const stream = session.request({
    ':method': 'POST',
    ':path': grpcHealthPath,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'lvs-operator',
  });
  readAnswer(stream, finish);
  stream.end(request);
}

function readAnswer(stream: ClientHttp2Stream, finish: (outcome: ProbeOutcome) => void): void {
  const frames: Buffer[] = [];
  let total = 0;
  let status: number | undefined;
  const readStatus = (headers: IncomingHttpHeaders) => {
    const text = headers['grpc-status'];
    if (typeof text === 'string' && /^\d{1,2}$/.test(text)) status = Number(text);
  };
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) finish(failed('StatusUnexpected'));
    else readStatus(headers);
  });
  stream.on('trailers', readStatus);
  stream.on('data', (bytes: Buffer) => {
    total += bytes.length;
    if (total > grpcAnswerLimit) finish(failed('AnswerTooLarge'));
    else frames.push(bytes);
  });
  stream.on('error', () => finish(failed('AnswerMalformed')));
  stream.once('end', () => {
    if (status === undefined) return finish(failed('AnswerMalformed'));
    if (status === statusNotFound) return finish(failed('ServiceUnknown'));
    if (status !== statusOk) return finish(failed('StatusUnexpected'));
    const reason = judgeGrpcHealthResponse(Buffer.concat(frames));
    finish(reason === undefined ? passed : failed(reason));
  });
}

function destroyQuietly(session: ClientHttp2Session): void {
  session.removeAllListeners();
  session.on('error', () => {});
  session.destroy();
}
