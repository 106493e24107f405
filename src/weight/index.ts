/**
 * weight: from what servers do to the weights that they should have.
 *
 * Owns the policies (static, capacity estimate, in flight, the formula of the authors of LVS), how connections and
 * metrics of the same moment are brought together, when a weight is worth a write, and the words that explain it.
 * Promises purity: a state machine that is fed with readings, samples and a clock. Promises that no metric can hurt:
 * what is missing, old, broken or impossible holds the weights, and in the end returns them to the configured ones, and
 * says why. Promises never to advise 0, and never to speak about a server that is drained or failed. Refuses to know
 * where readings come from and how weights get into kernels: a simulator can drive it just as a cluster does.
 */
export { createWeightController } from './controller.ts';
export { rejectionTexts } from './metric-intake.ts';
export type { InputRejection } from './metric-intake.ts';
export { completeLoadShares, defaultLoadShares, kernelMeanWeight } from './policy.ts';
export type {
  BasePolicy,
  CapacityEstimatePolicy,
  InFlightPolicy,
  LoadShares,
  LvsDynamicFeedbackPolicy,
  StaticPolicy,
  WeightPolicy,
} from './policy.ts';
export type {
  AdvisedWeight,
  ConnectionReading,
  ExplanationStep,
  MetricSample,
  WeightAdvice,
  WeightController,
  WeightControllerOptions,
  WeightedRealServer,
  WeightExplanation,
  WeightReason,
  WeightVerdict,
} from './types.ts';
export { weightReasons } from './verdict.ts';
