import type { FieldPath, RealServerSpec, VirtualPort } from '../api/index.ts';
import type { ForwardingMethod } from '../ipvs/pure.ts';

/** A virtual port and the port that a RealServer serves it on. */
export interface JoinedPort {
  readonly virtual: VirtualPort;
  readonly port: number;
}

export interface PortProblem {
  readonly path: FieldPath;
  readonly reason: string;
  readonly message: string;
}

export type PortJoin =
  | { readonly kind: 'joined'; readonly ports: readonly JoinedPort[] }
  | { readonly kind: 'refused'; readonly problem: PortProblem };

/**
 * Joins the ports of a RealServer to the virtual ports, by name. No ports: the virtual ones. One port without a name
 * joins the only virtual port. A virtual port that a RealServer with ports does not list is not served by it.
 */
export function joinPorts(
  ports: RealServerSpec['ports'],
  virtualPorts: readonly VirtualPort[],
  method: ForwardingMethod,
): PortJoin {
  if (ports.length === 0) {
    return { kind: 'joined', ports: virtualPorts.map((virtual) => ({ virtual, port: virtual.port })) };
  }
  const joined: JoinedPort[] = [];
  for (const [index, { name, port }] of ports.entries()) {
    const virtual = findVirtualPort(name, virtualPorts);
    if (virtual === undefined)
      return refused(index, 'name', 'PortNotFound', notFoundMessage(name, virtualPorts));
    if (method !== 'NAT' && port !== virtual.port) {
      return refused(
        index,
        'port',
        'PortMismatch',
        `${port} differs from the virtual port ${virtual.port}, and ${method} delivers packets unchanged; ` +
          `let the real server listen on ${virtual.port}, or use NAT.`,
      );
    }
    if (virtual.endPort !== undefined && port !== virtual.port) {
      return refused(
        index,
        'port',
        'PortMismatch',
        `${port} differs from ${virtual.port}, where the range ${virtual.port}-${virtual.endPort} begins; ranges keep their ports.`,
      );
    }
    joined.push({ virtual, port });
  }
  return { kind: 'joined', ports: joined };
}

/**
 * The one real-server port of a service that groups all virtual ports (a mark service). The kernel knows a single port
 * per real server there; 0 keeps the port of the packet.
 */
export function joinPortsTogether(
  joined: readonly JoinedPort[],
  virtualPorts: readonly VirtualPort[],
): { readonly port: number } | { readonly problem: PortProblem } {
  const missing = virtualPorts.find((virtual) => !joined.some((join) => join.virtual === virtual));
  if (missing !== undefined) {
    const message =
      `The list lacks ${describe(missing)}; with portGrouping Together every real server serves every port. ` +
      'Add it, or leave ports out.';
    return { problem: { path: ['spec', 'ports'], reason: 'PortMissing', message } };
  }
  if (joined.every(({ virtual, port }) => virtual.port === port)) return { port: 0 };
  const ports = new Set(joined.map(({ port }) => port));
  const [only] = ports;
  if (
    ports.size === 1 &&
    only !== undefined &&
    joined.every(({ virtual }) => virtual.endPort === undefined)
  ) {
    return { port: only };
  }
  const message =
    'Several virtual ports are mapped to several other ports, which one service for all ports cannot do; ' +
    'keep the virtual ports, map all to one, or use portGrouping Separate.';
  return { problem: { path: ['spec', 'ports'], reason: 'PortRemapImpossible', message } };
}

function findVirtualPort(
  name: string | undefined,
  virtualPorts: readonly VirtualPort[],
): VirtualPort | undefined {
  if (name === undefined) return virtualPorts.length === 1 ? virtualPorts[0] : undefined;
  return virtualPorts.find((virtual) => virtual.name === name);
}

function notFoundMessage(name: string | undefined, virtualPorts: readonly VirtualPort[]): string {
  const known = virtualPorts.map(describe).join(', ');
  return name === undefined
    ? `The port needs a name, because the VirtualService has several ports: ${known}.`
    : `The VirtualService has no port named ${name}; it has ${known}.`;
}

function describe({ name, protocol, port, endPort }: VirtualPort): string {
  const range = endPort === undefined ? `${port}` : `${port}-${endPort}`;
  return name === undefined ? `${range}/${protocol} (without a name)` : `${name} (${range}/${protocol})`;
}

function refused(index: number, field: string, reason: string, message: string): PortJoin {
  return { kind: 'refused', problem: { path: ['spec', 'ports', index, field], reason, message } };
}
