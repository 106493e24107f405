import { unreachable } from '../base/index.ts';
import type { Ask, ProbeEnvironment } from './attempt.ts';
import { prepareDns } from './probe-dns.ts';
import { prepareGrpc } from './probe-grpc.ts';
import { prepareHttp } from './probe-http.ts';
import { prepareIcmp } from './probe-icmp.ts';
import { prepareSmtp } from './probe-smtp.ts';
import { prepareTcp } from './probe-tcp.ts';
import { prepareUdp } from './probe-udp.ts';
import type { Question } from './question.ts';

/** Does once what all probes of a question share: certificates, patterns, bytes. */
export function prepareQuestion(question: Question, environment: ProbeEnvironment): Ask {
  switch (question.type) {
    case 'tcp':
      return prepareTcp(question, environment);
    case 'http':
      return prepareHttp(question, environment);
    case 'grpc':
      return prepareGrpc(question, environment);
    case 'udp':
      return prepareUdp(question, environment);
    case 'dns':
      return prepareDns(question, environment);
    case 'smtp':
      return prepareSmtp(question, environment);
    case 'icmp':
      return prepareIcmp(environment);
    default:
      return unreachable(question);
  }
}
