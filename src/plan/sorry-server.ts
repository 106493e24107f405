import { ipFamily } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import { objectRefOf } from '../api/index.ts';
import type { FieldPath, SorryServerSpec, VirtualServiceResource } from '../api/index.ts';
import { formatRealServerKey } from '../ipvs/pure.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { Pools } from './pools.ts';
import type { RefusalList } from './refusals.ts';
import { serverCheck } from './server-check.ts';
import { forwardingConfig } from './server-config.ts';
import type { ServiceDraft, VirtualServiceDraft } from './service-draft.ts';
import type { DesiredRealServer, Refusal } from './types.ts';

type Finding = Omit<Refusal, 'severity'>;

/** All sorry servers of a service share its clients alike. */
const sorryWeight = 1;

/** What can be wrong with the sorry server of a VirtualService; the first finding or none. */
export function refuseSorryServer(
  resource: VirtualServiceResource,
  vips: readonly IpAddress[],
  { pools, policy }: { readonly pools: Pools; readonly policy: AddressPolicy },
): Finding | undefined {
  const { sorryServer, forwarding, ports } = resource.spec;
  if (sorryServer === undefined) return undefined;
  const refuse = (path: FieldPath, reason: string, message: string): Finding => ({
    object: objectRefOf(resource),
    path: ['spec', 'sorryServer', ...path],
    reason,
    message,
  });
  const { port, healthCheck } = sorryServer;
  const { forwarding: method } = forwardingConfig(sorryServer.forwarding, forwarding);
  const stray = ports.find((virtual) => port !== undefined && (virtual.port !== port || virtual.endPort));
  if (port !== undefined && stray !== undefined && (method !== 'NAT' || stray.endPort !== undefined)) {
    const why = method === 'NAT' ? 'ranges keep their ports' : `${method} delivers packets unchanged`;
    return refuse(
      ['port'],
      'PortMismatch',
      `${port} differs from the virtual port ${stray.port}, and ${why}.`,
    );
  }
  if ((healthCheck ?? resource.spec.healthCheck)?.through === 'virtualService' && method === 'NAT') {
    const message =
      'The sorry server is asked through the virtual service, which shows something under DR and TUN only, and it is ' +
      'reached by NAT; give it a healthCheck of its own.';
    return refuse(
      healthCheck === undefined ? [] : ['healthCheck', 'through'],
      'HealthCheckThroughNat',
      message,
    );
  }
  const asked = healthCheck?.port;
  if (
    asked !== undefined &&
    !(port === undefined ? ports.some((one) => one.port === asked) : asked === port)
  ) {
    const message = `The check of the sorry server asks port ${asked}, where no client is sent to.`;
    return refuse(['healthCheck', 'port'], 'HealthCheckPortNotServed', message);
  }
  for (const [index, ip] of sorryServer.addresses.entries()) {
    const path = ['addresses', index];
    const verdict =
      policy.judgeRealServer(ip, 'Static') ??
      ports
        .map((virtual) =>
          policy.judgeRealServerPort(ip, port ?? virtual.port, port ?? virtual.endPort ?? virtual.port),
        )
        .find((each) => each !== undefined);
    if (verdict !== undefined)
      return refuse(path, verdict.reason, `${ip} ${verdict.why}; it cannot be a sorry server.`);
    if (vips.includes(ip))
      return refuse(
        path,
        'AddressIsVirtual',
        `${ip} is a virtual address; a sorry server there would be a loop.`,
      );
    if (!pools.realServerSet(resource.metadata.namespace).has(ip)) {
      return refuse(
        path,
        'RealServerNotAllowed',
        `${ip} lies in no realServerCIDRs of an AddressPool that admits namespace ${resource.metadata.namespace}; ` +
          'add its network there if it may receive traffic.',
      );
    }
    if (method !== 'TUN' && !vips.some((vip) => ipFamily(vip) === ipFamily(ip))) {
      return refuse(
        path,
        'AddressFamilyMismatch',
        `${ip} is ${ipFamily(ip)} and there is no ${ipFamily(ip)} address; ${method} cannot cross families, only TUN can.`,
      );
    }
  }
  return undefined;
}

/** Puts the sorry servers into the services, beside the real servers. They are drained until they are needed. */
export function enterSorryServers(
  { resource, owner, services }: VirtualServiceDraft,
  refusals: RefusalList,
): void {
  const { sorryServer } = resource.spec;
  if (sorryServer === undefined) return;
  for (const service of services) {
    for (const ip of addressesFor(service, sorryServer, resource)) {
      const server = sorryServerOf(service, ip, sorryServer, resource);
      const key = formatRealServerKey(server.key);
      if (service.service.realServers.has(key)) {
        refusals.warn({
          object: owner,
          path: ['spec', 'sorryServer', 'addresses', sorryServer.addresses.indexOf(ip)],
          reason: 'SorryServerIsRealServer',
          message: `${key} is a real server of ${service.key} already, so it is no sorry server there.`,
        });
      } else service.service.realServers.set(key, server);
    }
  }
}

/** Those of its family; where there are none, TUN takes any. */
function addressesFor(
  { family }: ServiceDraft,
  { addresses, forwarding }: SorryServerSpec,
  { spec }: VirtualServiceResource,
): readonly IpAddress[] {
  const own = addresses.filter((ip) => ipFamily(ip) === family);
  const isTunnel = (forwarding?.method ?? spec.forwarding.method) === 'TUN';
  return own.length === 0 && isTunnel ? addresses : own;
}

function sorryServerOf(
  { ports: [first], service, ports, vip }: ServiceDraft,
  rip: IpAddress,
  sorryServer: SorryServerSpec,
  { spec }: VirtualServiceResource,
): DesiredRealServer {
  const isGrouped = service.key.kind === 'mark';
  const served = sorryServer.port ?? first?.port ?? 0;
  // A service of several ports keeps them as they are, unless all go to one.
  const keepsPorts =
    isGrouped && ports.every(({ port }) => sorryServer.port === undefined || port === sorryServer.port);
  const check = sorryServer.healthCheck ?? spec.healthCheck;
  return {
    key: { rip, port: keepsPorts ? 0 : served },
    config: {
      ...forwardingConfig(sorryServer.forwarding, spec.forwarding),
      weight: sorryWeight,
      upperThreshold: 0,
      lowerThreshold: 0,
    },
    isDrained: true,
    drainDeadlineMs: undefined,
    isLastResort: false,
    lastResort: undefined,
    configuredWeight: sorryWeight,
    check:
      check === undefined
        ? undefined
        : serverCheck(check, { rip, vip, port: served, askedPort: sorryServer.healthCheck?.port ?? served }),
    isSorry: true,
    owner: service.owner,
  };
}
