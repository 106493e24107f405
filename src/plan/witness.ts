import { schedulerFlags, serviceFlags } from '../ipvs/pure.ts';
import type { VirtualServiceConfig } from '../ipvs/pure.ts';
import type { VirtualServiceSpec } from '../api/index.ts';
import type { IpFamily } from '../base/index.ts';
import { witnessFlag } from './types.ts';

/** The byte of the service flags that holds the witness; the kernel uses only the lowest. */
const witnessMask = 0xff000000;

/** Whether the kernel itself says that a service is ours. */
export function hasWitness({ flags }: Pick<VirtualServiceConfig, 'flags'>): boolean {
  return (flags & witnessMask) === witnessFlag;
}

/** The kernel configuration of the services of one VirtualService in one family. */
export function computeServiceConfig(spec: VirtualServiceSpec, family: IpFamily): VirtualServiceConfig {
  const { persistence } = spec;
  let flags = witnessFlag;
  for (const name of spec.schedulerFlags) flags |= schedulerFlags[name];
  if (persistence !== undefined) flags |= serviceFlags.PERSISTENT;
  if (spec.onePacket) flags |= serviceFlags.ONEPACKET;
  return {
    scheduler: spec.scheduler,
    flags: flags >>> 0,
    persistenceTimeoutSeconds: persistence?.timeoutSeconds ?? 0,
    // Without persistence the kernel still stores a prefix; the whole address is what ipvsadm writes, too.
    persistencePrefixLength:
      family === 'IPv4' ? (persistence?.ipv4PrefixLength ?? 32) : (persistence?.ipv6PrefixLength ?? 128),
    persistenceEngine: undefined,
  };
}
