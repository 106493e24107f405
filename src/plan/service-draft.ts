import type { Cidr, IpAddress, IpFamily } from '../base/index.ts';
import { ipFamily } from '../base/index.ts';
import { objectRefOf } from '../api/index.ts';
import type { ObjectRef, VirtualPort, VirtualServiceResource } from '../api/index.ts';
import { formatVirtualServiceKey } from '../ipvs/pure.ts';
import type { VirtualServiceConfig, VirtualServiceKey } from '../ipvs/pure.ts';
import type { VipClaim } from '../link/pure.ts';
import type { MarkAllocator } from './mark-allocation.ts';
import type { RefusalList } from './refusals.ts';
import { healthPolicyOf } from './health-policy.ts';
import type { DesiredRealServer, DesiredVirtualService } from './types.ts';
import { ownerName } from './vip-allocation.ts';
import { computeServiceConfig } from './witness.ts';

/** One kernel service while its real servers are still being joined to it. */
export interface ServiceDraft {
  readonly service: DesiredVirtualService & { realServers: Map<string, DesiredRealServer> };
  /** `formatVirtualServiceKey`. */
  readonly key: string;
  readonly vip: IpAddress;
  readonly family: IpFamily;
  /** One port for Separate, all of them for Together. */
  readonly ports: readonly VirtualPort[];
  readonly claims: readonly VipClaim[];
}

/** An accepted VirtualService and its kernel services. */
export interface VirtualServiceDraft {
  readonly resource: VirtualServiceResource;
  readonly owner: ObjectRef;
  readonly vips: readonly IpAddress[];
  readonly services: readonly ServiceDraft[];
}

/** One kernel service per address and port (Separate), or one mark service per address (Together). */
export function draftServices(
  resource: VirtualServiceResource,
  vips: readonly IpAddress[],
  marks: MarkAllocator,
  refusals: RefusalList,
): VirtualServiceDraft | undefined {
  const { spec } = resource;
  const owner = objectRefOf(resource);
  const services: ServiceDraft[] = [];
  for (const vip of vips) {
    const family = ipFamily(vip);
    const config = computeServiceConfig(spec, family);
    const sourceRanges = spec.sourceRanges.filter(({ address }) => ipFamily(address) === family);
    if (spec.portGrouping === 'Separate') {
      for (const port of spec.ports) {
        const key: VirtualServiceKey = { kind: 'address', protocol: port.protocol, vip, port: port.port };
        services.push(draft({ resource, owner, key, config, vip, ports: [port], sourceRanges }));
      }
      continue;
    }
    const claims = spec.ports.map(({ protocol, port, endPort }) => ({
      protocol,
      port,
      endPort: endPort ?? port,
    }));
    const mark = marks.allocate(ownerName(resource), vip, claims);
    if (mark === undefined) {
      refusals.refuse({
        object: owner,
        path: ['spec', 'portGrouping'],
        reason: 'MarksExhausted',
        message: 'All 65,535 firewall marks of this director are in use; use portGrouping Separate.',
      });
      return undefined;
    }
    const key: VirtualServiceKey = { kind: 'mark', family, mark };
    services.push(draft({ resource, owner, key, config, vip, ports: spec.ports, sourceRanges }));
  }
  return { resource, owner, vips, services };
}

interface DraftInput {
  readonly resource: VirtualServiceResource;
  readonly owner: ObjectRef;
  readonly key: VirtualServiceKey;
  readonly config: VirtualServiceConfig;
  readonly vip: IpAddress;
  readonly ports: readonly VirtualPort[];
  readonly sourceRanges: readonly Cidr[];
}

function draft({ resource, owner, key, config, vip, ports, sourceRanges }: DraftInput): ServiceDraft {
  const { timeoutSeconds, settleSeconds, udpSeconds } = resource.spec.drain;
  const mark = key.kind === 'mark' ? key.mark : undefined;
  return {
    key: formatVirtualServiceKey(key),
    vip,
    family: ipFamily(vip),
    ports,
    claims: ports.map(({ protocol, port, endPort }) => ({
      vip,
      protocol,
      port,
      endPort: endPort ?? port,
      sourceRanges,
      mark,
    })),
    service: {
      key,
      config,
      owner,
      drain: { timeoutMs: timeoutSeconds * 1000, settleMs: settleSeconds * 1000, udpMs: udpSeconds * 1000 },
      policy: healthPolicyOf(resource.spec),
      realServers: new Map(),
    },
  };
}
