import { isLvsError } from '../base/index.ts';
import { errno } from '../netlink/index.ts';
import type { IpvsFamily } from './family.ts';
import type { VirtualServiceConfig, VirtualServiceKey } from './types.ts';
import { IPVS_CMD_DEL_SERVICE, IPVS_CMD_NEW_SERVICE } from './uapi.ts';
import { encodeVirtualService, encodeVirtualServiceKey } from './virtual-service-codec.ts';

/** Private: no packet carries this mark, and the marks that are allocated begin right after it (plan/mark-allocation.ts). */
const probeMark = 0x4c560000;

/**
 * Whether the kernel has a scheduler, loading its module if it can.
 *
 * A new IPv6 service with prefix length 0 is never created: the kernel looks for the scheduler first (ENOENT), and
 * only then at the prefix (EINVAL; ip_vs_ctl.c, ip_vs_add_service). Where IPv6 is switched off (EAFNOSUPPORT) an IPv4
 * service on a mark that nobody sets is created and deleted at once.
 * @throws LvsError for every other refusal
 */
export function isSchedulerAvailable(family: IpvsFamily, name: string): boolean {
  const first = refusalOf(family, { kind: 'mark', family: 'IPv6', mark: probeMark }, probeConfig(name, 0));
  if (first !== errno.EAFNOSUPPORT) return first !== errno.ENOENT;
  const key: VirtualServiceKey = { kind: 'mark', family: 'IPv4', mark: probeMark };
  let value: number;
  try {
    value = refusalOf(family, key, probeConfig(name, 32));
  } catch (error) {
    // An answer that nobody can read may be that of a service that is there now.
    tryToDeleteProbe(family, key);
    throw error;
  }
  if (value === errno.ENOENT) return false;
  deleteProbe(family, key);
  return true;
}

function deleteProbe(family: IpvsFamily, key: VirtualServiceKey): void {
  family.request({
    command: IPVS_CMD_DEL_SERVICE,
    operation: 'IPVS_CMD_DEL_SERVICE',
    encode: (writer) => encodeVirtualServiceKey(writer, key),
  });
}

function tryToDeleteProbe(family: IpvsFamily, key: VirtualServiceKey): void {
  try {
    deleteProbe(family, key);
  } catch (error) {
    if (!isLvsError(error)) throw error;
  }
}

/** The errno of a NEW_SERVICE that is expected to be refused; 0 when it was not. */
function refusalOf(family: IpvsFamily, key: VirtualServiceKey, config: VirtualServiceConfig): number {
  try {
    family.request({
      command: IPVS_CMD_NEW_SERVICE,
      operation: 'IPVS_CMD_NEW_SERVICE',
      subject: `a probe for the scheduler ${config.scheduler}`,
      encode: (writer) => encodeVirtualService(writer, key, config),
    });
    return 0;
  } catch (error) {
    const expected: readonly (number | undefined)[] = [
      errno.ENOENT,
      errno.EINVAL,
      errno.EEXIST,
      errno.EAFNOSUPPORT,
    ];
    if (isLvsError(error) && error.errno !== undefined && expected.includes(error.errno)) return error.errno;
    throw error;
  }
}

function probeConfig(scheduler: string, persistencePrefixLength: number): VirtualServiceConfig {
  return {
    scheduler,
    flags: 0,
    persistenceTimeoutSeconds: 0,
    persistencePrefixLength,
    persistenceEngine: undefined,
  };
}
