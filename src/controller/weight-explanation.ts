import { metricsOf } from '../api/index.ts';
import type { WeightPolicySpec } from '../api/index.ts';
import { weightReasons } from '../weight/index.ts';
import type { ExplanationStep, WeightVerdict } from '../weight/index.ts';
import type { ServerState, WeightPool } from './weight-pool.ts';

/** One address behind a VirtualService whose weights follow the load. */
export interface ExplainedServer {
  readonly address: string;
  readonly podName?: string;
  /** `namespace/name` of its RealServer. */
  readonly realServer: string;
  /** As the RealServer says. */
  readonly configuredWeight: number;
  /** Where 100 is the mean; absent: none. */
  readonly advisedWeight?: number;
  /** That kernels are to have, health checks apart. */
  readonly effectiveWeight: number;
  /** A word, and a sentence without its full stop for people. */
  readonly reason: string;
  readonly because: string;
  /** Inputs and steps in their order. Addresses of one pod have the same: they share its CPU. */
  readonly steps: readonly ExplanationStep[];
}

/** What the weights of one VirtualService are made of at this moment. */
export interface WeightsExplanation {
  readonly version: 1;
  /** `namespace/name` */
  readonly virtualService: string;
  readonly scheduler: string;
  readonly policy: WeightPolicySpec;
  /** Absent: connections are all that is looked at. */
  readonly metrics?: {
    readonly source: string;
    readonly query?: string;
    /** Why the source does not answer now. */
    readonly failure?: string;
  };
  /** Who is asked for connections; those with a failure do not answer. */
  readonly directors: readonly { readonly name: string; readonly failure?: string }[];
  readonly verdict: WeightVerdict;
  readonly warnings: readonly string[];
  readonly servers: readonly ExplainedServer[];
}

/** @param directors that are asked, with what is wrong with them */
export function explainPool(
  pool: WeightPool,
  directors: readonly { readonly name: string; readonly failure: string | undefined }[],
): WeightsExplanation {
  const { scheduler, weightPolicy = { type: 'Static' } } = pool.spec;
  const metrics = metricsOf(weightPolicy);
  const query = metrics?.prometheus?.query;
  const failure = pool.metricsFailure;
  return {
    version: 1,
    virtualService: pool.key,
    scheduler,
    policy: weightPolicy,
    ...(metrics === undefined
      ? {}
      : {
          metrics: {
            source: metrics.source,
            ...(query === undefined ? {} : { query }),
            ...(failure === undefined ? {} : { failure }),
          },
        }),
    directors: directors.map(({ name, failure: trouble }) => ({
      name,
      ...(trouble === undefined ? {} : { failure: trouble }),
    })),
    verdict: pool.verdict ?? nothingYet,
    warnings: pool.advice?.warnings ?? [],
    servers: [...pool.realServerKeys].flatMap((key) =>
      pool.statesOf(key).map((state) => explainServer(pool, key, state)),
    ),
  };
}

function explainServer(
  pool: WeightPool,
  realServer: string,
  { server, weight }: ServerState,
): ExplainedServer {
  const { address, name, podName } = server;
  const { configuredWeight, advisedWeight, effectiveWeight, reason } = weight;
  return {
    address,
    ...(podName === undefined ? {} : { podName }),
    realServer,
    configuredWeight,
    ...(advisedWeight === undefined ? {} : { advisedWeight }),
    effectiveWeight,
    reason,
    because: explainReason(reason),
    steps: pool.explain(name)?.steps ?? [],
  };
}

function explainReason(reason: ServerState['weight']['reason']): string {
  if (reason === 'Drained') return 'left alone: it takes no new connections';
  if (reason === 'ConfiguredZero') return 'left alone: its configured weight is 0';
  return weightReasons[reason];
}

const nothingYet: WeightVerdict = {
  isFromLoad: false,
  reason: 'Base',
  message: 'Nothing was observed yet.',
};
