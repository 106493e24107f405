/**
 * One table in four spellings: for our client, for `ipvsadm -R`, for keepalived, and as manifests for the director.
 * Addresses are those of RFC 2544 benchmarks.
 */
import { ipFromBigInt, ipToBigInt, parseIpAddress, type IpAddress } from '../src/base/index.ts';
import type { IpvsOperation, RealServerConfig, VirtualServiceKey } from '../src/ipvs/pure.ts';

const firstVip = parseIpAddress('198.18.0.1');
const firstRip = parseIpAddress('198.19.0.1');
const port = 80;
const weight = 100;

export interface TableSize {
  readonly services: number;
  /** Behind each service. */
  readonly realServers: number;
}

export interface ContentService {
  readonly vip: IpAddress;
  readonly rips: readonly IpAddress[];
}

export function createContent(size: TableSize): ContentService[] {
  return Array.from({ length: size.services }, (_, service) => ({
    vip: plus(firstVip, service),
    rips: Array.from({ length: size.realServers }, (__, i) => plus(firstRip, service * size.realServers + i)),
  }));
}

/** In the order in which our planner would ask: all services, then all real servers. */
export function asOperations(content: readonly ContentService[]): IpvsOperation[] {
  const services: IpvsOperation[] = [];
  const realServers: IpvsOperation[] = [];
  for (const { vip, rips } of content) {
    const service = serviceKey(vip);
    services.push({
      type: 'addVirtualService',
      service,
      config: {
        scheduler: 'wlc',
        flags: 0,
        persistenceTimeoutSeconds: 0,
        persistencePrefixLength: 32,
        persistenceEngine: undefined,
      },
    });
    for (const rip of rips) {
      realServers.push({
        type: 'addRealServer',
        service,
        realServer: { rip, port },
        config: realServerConfig,
      });
    }
  }
  return [...services, ...realServers];
}

const realServerConfig: RealServerConfig = {
  forwarding: 'NAT',
  tunnel: undefined,
  weight,
  upperThreshold: 0,
  lowerThreshold: 0,
};

export function serviceKey(vip: IpAddress): VirtualServiceKey {
  return { kind: 'address', protocol: 'TCP', vip, port };
}

/** As `ipvsadm --save -n` prints it and `ipvsadm --restore` reads it. */
export function asIpvsadm(content: readonly ContentService[]): string {
  return content
    .map(({ vip, rips }) => {
      const servers = rips.map((rip) => `-a -t ${vip}:${port} -r ${rip}:${port} -m -w ${weight}\n`);
      return `-A -t ${vip}:${port} -s wlc\n${servers.join('')}`;
    })
    .join('');
}

/** Without health checks, so that keepalived programs every real server at once. */
export function asKeepalived(content: readonly ContentService[]): string {
  const services = content.map(({ vip, rips }) => {
    const servers = rips.map((rip) => `  real_server ${rip} ${port} {\n    weight ${weight}\n  }\n`);
    return `virtual_server ${vip} ${port} {\n  lb_algo wlc\n  lb_kind NAT\n  protocol TCP\n${servers.join('')}}\n`;
  });
  return `global_defs {\n  router_id bench\n}\n${services.join('')}`;
}

export interface ManifestFile {
  readonly name: string;
  readonly text: string;
}

/**
 * A pool and one file per service. The last real server of each has an object of its own, so that an edit of its
 * weight is one operation in the kernel.
 */
export function asManifests(content: readonly ContentService[]): ManifestFile[] {
  return [
    {
      name: 'pool.yaml',
      text: `apiVersion: networking.lvs-operator.io/v1alpha1
kind: AddressPool
metadata:
  name: bench
spec:
  addresses: [198.18.0.0/16]
  realServerCIDRs: [198.19.0.0/16]
  namespaces: ["*"]
`,
    },
    ...content.map((service, i) => serviceManifest(service, i, weight)),
  ];
}

/** The file of service `i`; `lastWeight` is the weight of its last real server. */
export function serviceManifest({ vip, rips }: ContentService, i: number, lastWeight: number): ManifestFile {
  const name = `service-${i}`;
  return {
    name: `${name}.yaml`,
    text: `apiVersion: networking.lvs-operator.io/v1alpha1
kind: VirtualService
metadata:
  name: ${name}
spec:
  addresses: [{ip: ${vip}}]
  ports: [{port: ${port}}]
${realServer(name, 'many', rips.slice(0, -1), weight)}${realServer(name, 'last', rips.slice(-1), lastWeight)}`,
  };
}

function realServer(
  service: string,
  suffix: string,
  rips: readonly IpAddress[],
  serverWeight: number,
): string {
  if (rips.length === 0) return '';
  return `---
apiVersion: networking.lvs-operator.io/v1alpha1
kind: RealServer
metadata:
  name: ${service}-${suffix}
spec:
  virtualServiceRef: {name: ${service}}
  weight: ${serverWeight}
  addresses:
${rips.map((rip) => `    - ${rip}\n`).join('')}`;
}

function plus(ip: IpAddress, offset: number): IpAddress {
  return ipFromBigInt(ipToBigInt(ip) + BigInt(offset), 'IPv4');
}
