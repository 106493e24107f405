/** A transport that is a function: what a request is answered is the test's to say. */
import { KubeError } from '../../src/kube/index.ts';
import type { KubeRequest, KubeTransport } from '../../src/kube/index.ts';
import { kubeErrorFromAnswer } from '../../src/kube/kube-error.ts';

export type Answer = (request: KubeRequest) => unknown;

export class MemoryTransport implements KubeTransport {
  readonly requests: KubeRequest[] = [];
  answer: Answer;

  constructor(answer: Answer) {
    this.answer = answer;
  }

  async request(request: KubeRequest): Promise<unknown> {
    this.requests.push(request);
    return this.answer(request);
  }

  stream(): Promise<AsyncIterable<Uint8Array>> {
    throw new Error('nobody watches here');
  }

  async close(): Promise<void> {}

  /** Verbs of the requests, in order. */
  get methods(): string[] {
    return this.requests.map(({ method }) => method);
  }
}

/** What the API server refuses with. */
export function refusal(status: number, reason: string, retryAfter?: string): KubeError {
  return kubeErrorFromAnswer('TEST', status, { reason, message: reason }, retryAfter);
}

export function unreachable(): KubeError {
  return new KubeError('LVS_KUBE_UNREACHABLE', 'ECONNRESET', { operation: 'TEST' });
}
