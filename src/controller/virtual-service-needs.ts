import { readVirtualServiceStatus, requestedAddresses } from '../api/index.ts';
import type { VirtualServiceResource } from '../api/index.ts';
import { ipFamily } from '../base/index.ts';
import type { IpFamily } from '../base/index.ts';
import { isEqualJson } from '../kube/index.ts';
import type { JoinablePort } from './join-slice-ports.ts';

/** What a VirtualService asks of the endpoints behind it. */
interface Needs {
  readonly families: ReadonlySet<IpFamily>;
  readonly ports: readonly JoinablePort[];
}

/** Resources are never changed in place, and their status takes a moment to read. */
const known = new WeakMap<VirtualServiceResource, Needs>();

function needsOf(virtualService: VirtualServiceResource): Needs {
  const last = known.get(virtualService);
  if (last !== undefined) return last;
  // What was accepted is what directors serve; before that, what is asked for is the best guess.
  const { addresses, ports } = readVirtualServiceStatus(virtualService);
  const families =
    addresses.length > 0
      ? addresses.map(({ ip }) => ipFamily(ip))
      : requestedAddresses(virtualService.spec).map(({ family }) => family);
  const needs = {
    families: new Set(families),
    ports: ports.length > 0 ? ports : virtualService.spec.ports,
  };
  known.set(virtualService, needs);
  return needs;
}

/** Whether a change of a VirtualService changes nothing for its endpoints. Its status changes with every one of them. */
export function asksTheSame(before: VirtualServiceResource, after: VirtualServiceResource): boolean {
  const [last, next] = [needsOf(before), needsOf(after)];
  return (
    before.spec.forwarding.method === after.spec.forwarding.method &&
    before.spec.drain.onCordon === after.spec.drain.onCordon &&
    before.spec.scheduler === after.spec.scheduler &&
    isEqualJson(before.spec.weightPolicy, after.spec.weightPolicy) &&
    last.families.size === next.families.size &&
    [...last.families].every((family) => next.families.has(family)) &&
    isEqualJson(last.ports, next.ports)
  );
}

export function effectivePorts(
  virtualService: VirtualServiceResource | undefined,
): readonly JoinablePort[] | undefined {
  return virtualService === undefined ? undefined : needsOf(virtualService).ports;
}

/**
 * Address families in which the endpoints are wanted. Undefined: not known, since there is no such VirtualService yet.
 */
export function neededFamilies(
  virtualService: VirtualServiceResource | undefined,
): ReadonlySet<IpFamily> | undefined {
  return virtualService === undefined ? undefined : needsOf(virtualService).families;
}
