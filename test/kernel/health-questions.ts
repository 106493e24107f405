import type { Question, Target } from '../../src/health/question.ts';

export interface AskedFromHost {
  readonly question: Question;
  readonly target: Target;
  readonly timeoutMs: number;
}
