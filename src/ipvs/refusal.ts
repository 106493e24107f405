import { LvsError } from '../base/index.ts';
import { errno, formatErrno } from '../netlink/pure.ts';
import type { IpvsOperation } from './types.ts';

/**
 * Says in words what the kernel's number means for this operation (net/netfilter/ipvs/ip_vs_ctl.c), where it means
 * more than its name does. Other errors pass unchanged.
 */
export function explainRefusal(error: LvsError, operation: IpvsOperation): LvsError {
  const explanation = explanationOf(error, operation);
  if (explanation === undefined) return error;
  const { code, what, hint } = explanation;
  const { operation: command, subject, errno: value, kernelMessage } = error;
  return new LvsError(code, `${what} (${command}: ${formatErrno(value ?? 0)}, ${subject}).`, {
    cause: error,
    ...(command === undefined ? {} : { operation: command }),
    ...(subject === undefined ? {} : { subject }),
    ...(value === undefined ? {} : { errno: value }),
    ...(kernelMessage === undefined ? {} : { kernelMessage }),
    ...(hint === undefined ? {} : { hint }),
  });
}

interface Explanation {
  readonly code: LvsError['code'];
  readonly what: string;
  readonly hint?: string;
}

function explanationOf(error: LvsError, operation: IpvsOperation): Explanation | undefined {
  const isRealServer = operation.type === 'addRealServer' || operation.type === 'editRealServer';
  const isService = operation.type === 'addVirtualService' || operation.type === 'editVirtualService';
  if (error.code !== 'LVS_KERNEL_REFUSED') return undefined;
  if (isService && error.errno === errno.ENOENT) {
    return {
      code: 'LVS_SCHEDULER_UNAVAILABLE',
      what: `This kernel has no IPVS scheduler "${operation.config.scheduler}"`,
      hint: `Load the module ip_vs_${operation.config.scheduler} or choose another scheduler.`,
    };
  }
  if (isService && error.errno === errno.EAFNOSUPPORT) {
    return {
      code: 'LVS_KERNEL_REFUSED',
      what: 'This kernel has IPv6 switched off',
      hint: 'Enable IPv6 on this director or use IPv4 addresses.',
    };
  }
  if (isRealServer && error.errno === errno.ESRCH) {
    return { code: 'LVS_KERNEL_REFUSED', what: 'The virtual service of this real server does not exist' };
  }
  if (isRealServer && error.errno === errno.EINVAL) {
    return {
      code: 'LVS_KERNEL_REFUSED',
      what: 'The kernel does not take this real server',
      hint:
        'Its address must be unicast (the loopback interface of the network namespace must be up, or no address is), ' +
        'a GUE tunnel needs a port, and a family other than the virtual one needs TUN and no sync daemon.',
    };
  }
  if (isRealServer && error.errno === errno.ERANGE) {
    return {
      code: 'LVS_KERNEL_REFUSED',
      what: 'Weight or thresholds are out of range',
      hint: 'The weight must not be negative and the lower threshold not above the upper one.',
    };
  }
  return undefined;
}
