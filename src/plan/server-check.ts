import { formatFieldPath, healthCheckTls } from '../api/index.ts';
import type { FieldPath, HealthCheckSpec } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import { questionOf } from '../health/pure.ts';
import type { Question } from '../health/pure.ts';
import type { ServerCheck } from './health-types.ts';

/** What is wrong with a check beyond what its schema can tell. `path` is below the check. */
export interface CheckProblem {
  readonly path: FieldPath;
  readonly message: string;
}

/** One spec gives one question object and one check for each target, however often the goal is computed. */
interface Compiled {
  readonly problem: CheckProblem | undefined;
  readonly question: Question | undefined;
  readonly checks: Map<string, ServerCheck>;
}

const compiled = new WeakMap<HealthCheckSpec, Compiled>();

function compile(spec: HealthCheckSpec): Compiled {
  const known = compiled.get(spec);
  if (known !== undefined) return known;
  const result = questionOf(spec);
  const made: Compiled = {
    problem: result.ok ? undefined : { path: result.path, message: result.message },
    question: result.ok ? result.question : undefined,
    checks: new Map(),
  };
  compiled.set(spec, made);
  return made;
}

/** A problem as a sentence about the field at `path` of its object. */
export function checkMessage(path: FieldPath, message: string): string {
  return `${formatFieldPath(path)}: ${message}.`;
}

/**
 * Why a check cannot be asked; undefined: it can.
 * @param isFromFiles there are no objects that it could refer to
 */
export function checkProblem(spec: HealthCheckSpec, isFromFiles: boolean): CheckProblem | undefined {
  return compile(spec).problem ?? (isFromFiles ? judgeReferences(spec) : undefined);
}

function judgeReferences(spec: HealthCheckSpec): CheckProblem | undefined {
  for (const [path, tls] of healthCheckTls(spec)) {
    if (tls.caBundleRef !== undefined) {
      const message =
        'needs a cluster, and this director runs from files; write the certificates under caBundle';
      return { path: [...path, 'caBundleRef'], message };
    }
    if (tls.clientCertificateRef !== undefined) {
      const message = 'needs a cluster, and this director runs from files; a key has no place in a manifest';
      return { path: [...path, 'clientCertificateRef'], message };
    }
  }
  return undefined;
}

/**
 * The check of one real server; undefined: it is not to be asked.
 * @param at.port that it serves on
 * @param at.askedPort @default that of the spec, else `port`
 * @param at.vip of the service: where probes go that ask through it
 */
export function serverCheck(
  spec: HealthCheckSpec,
  at: {
    readonly rip: IpAddress;
    readonly port: number;
    readonly vip: IpAddress;
    readonly askedPort?: number | undefined;
  },
): ServerCheck | undefined {
  const { question, checks } = compile(spec);
  if (question === undefined) return undefined;
  const { rip, vip, askedPort = spec.port ?? at.port } = at;
  const isThrough = spec.through === 'virtualService';
  const target = { ip: isThrough ? vip : rip, port: question.type === 'icmp' ? 0 : askedPort };
  const key = `${target.ip} ${target.port}`;
  let check = checks.get(key);
  if (check === undefined) {
    const { intervalSeconds, timeoutSeconds, successThreshold, failureThreshold, initialState } = spec;
    check = {
      probe: { target, question, intervalMs: intervalSeconds * 1000, timeoutMs: timeoutSeconds * 1000 },
      policy: { successThreshold, failureThreshold },
      initialState,
      isThrough,
    };
    checks.set(key, check);
  }
  return check;
}
