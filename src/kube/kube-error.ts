import { LvsError } from '../base/index.ts';
import type { ErrorCode } from '../base/index.ts';
import { isRecord } from './kube-object.ts';

export interface KubeErrorFields {
  /** What was asked, as `GET /api/v1/pods`. */
  readonly operation: string;
  /** HTTP status; undefined when no answer came. */
  readonly status?: number | undefined;
  /** The API server's own word, `AlreadyExists` or `Expired`. */
  readonly reason?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A request that failed. `isRetryable`: the very same request may succeed later without anybody changing anything. */
export class KubeError extends LvsError {
  readonly status: number | undefined;
  readonly reason: string | undefined;
  /** How long the API server asks to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, fields: KubeErrorFields) {
    super(code, message, { operation: fields.operation, cause: fields.cause });
    this.name = 'KubeError';
    this.status = fields.status;
    this.reason = fields.reason;
    this.retryAfterMs = fields.retryAfterMs;
  }

  get isRetryable(): boolean {
    return retryableCodes.has(this.code);
  }
}

const retryableCodes: ReadonlySet<ErrorCode> = new Set([
  'LVS_KUBE_UNREACHABLE',
  'LVS_KUBE_TIMEOUT',
  'LVS_KUBE_THROTTLED',
  'LVS_KUBE_SERVER',
]);

/** Nobody gets to silence us for longer than this. */
const longestRetryAfterMs = 120_000;

export function isKubeError(error: unknown, code?: ErrorCode): error is KubeError {
  return error instanceof KubeError && (code === undefined || error.code === code);
}

/**
 * The error behind an answer that is no success.
 * @param body the decoded answer; a `Status` object says more than the number alone
 * @param retryAfter the Retry-After header, in seconds; dates are not used by the API server and are ignored
 */
export function kubeErrorFromAnswer(
  operation: string,
  status: number,
  body: unknown,
  retryAfter?: string,
): KubeError {
  const answer = isRecord(body) ? body : {};
  const details = isRecord(answer['details']) ? answer['details'] : {};
  const text =
    typeof answer['message'] === 'string' ? answer['message'].slice(0, 1024) : `HTTP status ${status}`;
  return new KubeError(codeOfStatus(status), `${operation}: ${text}`, {
    operation,
    status,
    reason: typeof answer['reason'] === 'string' ? answer['reason'] : undefined,
    retryAfterMs: readRetryAfterMs(retryAfter) ?? readRetryAfterMs(details['retryAfterSeconds']),
  });
}

/** The error behind a watch event of type ERROR, whose object is a `Status`. */
export function kubeErrorFromStatusObject(operation: string, status: unknown): KubeError {
  const code = isRecord(status) && typeof status['code'] === 'number' ? status['code'] : 500;
  return kubeErrorFromAnswer(operation, code, status);
}

/** The error behind a request that got no answer, or only a part of one. */
export function kubeErrorFromNetwork(operation: string, cause: unknown): KubeError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new KubeError('LVS_KUBE_UNREACHABLE', `${operation}: ${text}`, { operation, cause });
}

export function kubeTimeout(operation: string, timeoutMs: number): KubeError {
  return new KubeError('LVS_KUBE_TIMEOUT', `${operation}: no answer in ${timeoutMs} ms`, { operation });
}

export function kubeMalformed(operation: string, what: string): KubeError {
  return new KubeError('LVS_KUBE_MALFORMED', `${operation}: ${what}`, { operation });
}

function codeOfStatus(status: number): ErrorCode {
  if (status >= 500) return 'LVS_KUBE_SERVER';
  switch (status) {
    case 401:
    case 403:
      return 'LVS_KUBE_DENIED';
    case 404:
      return 'LVS_KUBE_NOT_FOUND';
    case 408:
      return 'LVS_KUBE_TIMEOUT';
    case 409:
      return 'LVS_KUBE_CONFLICT';
    case 410:
      return 'LVS_KUBE_EXPIRED';
    case 429:
      return 'LVS_KUBE_THROTTLED';
    default:
      return status >= 400 ? 'LVS_KUBE_REFUSED' : 'LVS_KUBE_MALFORMED';
  }
}

function readRetryAfterMs(seconds: unknown): number | undefined {
  const value = typeof seconds === 'string' && /^\d+$/.test(seconds) ? Number(seconds) : seconds;
  if (typeof value !== 'number' || !(value > 0)) return undefined;
  return Math.min(longestRetryAfterMs, value * 1000);
}
