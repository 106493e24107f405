/**
 * The closed registry of errors that lvs-operator can raise on purpose.
 *
 * A code is a promise: users and scripts match on `error.code`, never on the text. A retired code is never
 * used again for something else. `docs/errors.md` lists the same codes; a test compares the two.
 */
export const errorCodes = {
  LVS_ADDRESS_INVALID: 'An IP address, CIDR or address range could not be read.',
  LVS_MANIFEST_FOLDER: 'The manifest folder is missing, unreadable or empty.',
  LVS_CONFIG_INVALID: 'The director configuration file, a flag or an environment variable is not valid.',
  LVS_LEDGER_INVALID: 'The ledger file is damaged or was written by a newer version.',
  LVS_LEDGER_LOCKED: 'Another director on this host uses the same state directory.',
  LVS_LIBC_UNAVAILABLE: 'The C library could not be called from this process.',
  LVS_NETLINK_SOCKET: 'A netlink socket could not be opened or configured.',
  LVS_NETLINK_TRUNCATED: 'A netlink message was shorter or longer than its header says.',
  LVS_NETLINK_MALFORMED: 'A netlink attribute has a length or value that its type does not allow.',
  LVS_NETLINK_INTERRUPTED: 'A netlink dump changed while it was read and stayed unusable after retries.',
  LVS_NETLINK_OVERRUN: 'The netlink receive buffer overran; some answers are lost.',
  LVS_NETLINK_NO_ANSWER: 'The kernel did not answer a netlink request.',
  LVS_KERNEL_REFUSED: 'The kernel refused a request; `errno` and `operation` say which and why.',
  LVS_KERNEL_PERMISSION: 'The process lacks CAP_NET_ADMIN (or CAP_NET_RAW) in the initial user namespace.',
  LVS_IPVS_UNAVAILABLE: 'This kernel has no IPVS: the ip_vs module is missing or cannot be loaded.',
  LVS_SCHEDULER_UNAVAILABLE: 'This kernel has no module for the requested IPVS scheduler.',
  LVS_LINK_MISSING: 'A network interface that the configuration names does not exist.',
  LVS_SYSCTL_READ_ONLY: '/proc/sys is read-only or a sysctl is missing; the values must be set from outside.',
  LVS_NETFILTER_UNAVAILABLE: 'No usable iptables command was found, or it refused our rules.',
  LVS_KUBE_CONFIG: 'The kubeconfig or the credentials of the service account could not be read or used.',
  LVS_KUBE_UNREACHABLE: 'The API server could not be reached, or the connection broke.',
  LVS_KUBE_TIMEOUT: 'The API server did not answer in time.',
  LVS_KUBE_THROTTLED: 'The API server asks for patience (HTTP 429).',
  LVS_KUBE_SERVER: 'The API server failed to serve a request (HTTP 5xx).',
  LVS_KUBE_DENIED: 'The API server does not let this identity do that (HTTP 401 or 403).',
  LVS_KUBE_NOT_FOUND: 'The API server has no such object or no such kind (HTTP 404).',
  LVS_KUBE_CONFLICT: 'Somebody else changed or made the object first (HTTP 409).',
  LVS_KUBE_EXPIRED: 'The API server no longer has that resource version or continue token (HTTP 410).',
  LVS_KUBE_REFUSED: 'The API server refused a request or an object as invalid (other HTTP 4xx).',
  LVS_KUBE_MALFORMED: 'The API server sent something that is not what was asked for.',
  LVS_LOAD_SOURCE: 'A source of counters or metrics did not answer, or not with what was asked for.',
  LVS_KUBE_NOT_LEADER: 'A write was held back because this process does not lead, or may not lead any more.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface LvsErrorOptions {
  cause?: unknown;
  /** What was being done, in the words of the kernel or the command (`IPVS_CMD_NEW_DEST`, `RTM_NEWADDR`). */
  operation?: string;
  /** Positive errno of the kernel, when there is one. */
  errno?: number;
  /** Extended-ack text of the kernel, when it sent one. */
  kernelMessage?: string;
  /** The object, key or file that the error is about, formatted for people. */
  subject?: string;
  /** One sentence that says what a person can do about it. */
  hint?: string;
}

/** Every error that lvs-operator raises on purpose. `message` is for people, `code` is for programs. */
export class LvsError extends Error {
  readonly code: ErrorCode;
  readonly operation: string | undefined;
  readonly errno: number | undefined;
  readonly kernelMessage: string | undefined;
  readonly subject: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: LvsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LvsError';
    this.code = code;
    this.operation = options.operation;
    this.errno = options.errno;
    this.kernelMessage = options.kernelMessage;
    this.subject = options.subject;
    this.hint = options.hint;
  }
}

export function isLvsError(error: unknown, code?: ErrorCode): error is LvsError {
  return error instanceof LvsError && (code === undefined || error.code === code);
}

/** One line for people: message, then the hint. No stack, no cause chain. */
export function formatErrorForPeople(error: unknown): string {
  if (error instanceof LvsError) {
    return error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
  }
  return error instanceof Error ? error.message : String(error);
}
