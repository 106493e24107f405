import type { Controller, WeightsExplanation } from '../controller/index.ts';

/** What is asked of a running controller through its control socket. */
export interface WeightsQuestion {
  /** `namespace/name` of a VirtualService. */
  readonly weights: string;
}

export type WeightsAnswer =
  | { readonly explanation: WeightsExplanation }
  /** Only who leads computes weights. */
  | { readonly isLeading: boolean; readonly explanation?: never };

/** @returns undefined: that is no question about weights. */
export function answerWeightsQuestion(
  line: string,
  controller: Pick<Controller, 'isLeading' | 'explainWeights'> | undefined,
): string | undefined {
  const key = readKey(line);
  if (key === undefined) return undefined;
  const explanation = controller?.explainWeights(key);
  const answer: WeightsAnswer =
    explanation === undefined ? { isLeading: controller?.isLeading === true } : { explanation };
  return JSON.stringify(answer);
}

function readKey(line: string): string | undefined {
  try {
    const question: unknown = JSON.parse(line);
    if (typeof question !== 'object' || question === null || !('weights' in question)) return undefined;
    return typeof question.weights === 'string' ? question.weights : undefined;
  } catch {
    return undefined;
  }
}
