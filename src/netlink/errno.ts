import { LvsError } from '../base/index.ts';

/** Linux errno values that netlink, IPVS and rtnetlink return (asm-generic/errno*.h; the same on amd64 and arm64). */
export const errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
  EROFS: 30,
  ERANGE: 34,
  EMSGSIZE: 90,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
} as const;

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(errno).map(([name, value]) => [value, name]),
);

/** `EEXIST`, or `errno 133` for a number that the table does not know. */
export function formatErrno(value: number): string {
  return names.get(value) ?? `errno ${value}`;
}

export interface KernelRefusal {
  /** Positive. */
  readonly errno: number;
  /** In the kernel's words: `RTM_NEWADDR`, `IPVS_CMD_NEW_DEST`. */
  readonly operation: string;
  /** Extended-ack text of the kernel. */
  readonly kernelMessage?: string | undefined;
  /** What the request was about, for people. */
  readonly subject?: string | undefined;
  /** One sentence that says what a person can do about it. */
  readonly hint?: string | undefined;
}

/**
 * The error for a request that the kernel answered with an errno: LVS_KERNEL_PERMISSION for EPERM and EACCES, else
 * LVS_KERNEL_REFUSED. Callers match `error.errno` where the number has a meaning of its own.
 */
export function kernelRefusal(refusal: KernelRefusal): LvsError {
  const { errno: value, operation, kernelMessage, subject, hint } = refusal;
  const about = subject === undefined ? '' : ` of ${subject}`;
  const text = kernelMessage === undefined ? '' : ` ("${kernelMessage}")`;
  const isPermission = value === errno.EPERM || value === errno.EACCES;
  const advice =
    hint ?? (isPermission ? 'Run as root or with CAP_NET_ADMIN in the initial user namespace.' : undefined);
  return new LvsError(
    isPermission ? 'LVS_KERNEL_PERMISSION' : 'LVS_KERNEL_REFUSED',
    `The kernel refused ${operation}${about}: ${formatErrno(value)}${text}.`,
    {
      operation,
      errno: value,
      ...(kernelMessage === undefined ? {} : { kernelMessage }),
      ...(subject === undefined ? {} : { subject }),
      ...(advice === undefined ? {} : { hint: advice }),
    },
  );
}
