import { parseIpAddress } from '../../src/base/index.ts';
import type { Probe, Question } from '../../src/health/question.ts';
import type { Check } from '../../src/health/share-probes.ts';

export const tcpQuestion: Question = { type: 'tcp' };

export function probe(ip: string, question: Question = tcpQuestion, changes: Partial<Probe> = {}): Probe {
  return {
    target: { ip: parseIpAddress(ip), port: 80 },
    question,
    intervalMs: 2000,
    timeoutMs: 1000,
    ...changes,
  };
}

export function check(id: string, changes: Partial<Check> = {}): Check {
  return {
    id,
    probe: probe('192.0.2.1'),
    policy: { successThreshold: 2, failureThreshold: 3 },
    beginning: { kind: 'new', initialState: 'Down' },
    ...changes,
  };
}
