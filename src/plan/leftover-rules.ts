import type { IpAddress } from '../base/index.ts';
import type { IpvsTable, Protocol } from '../ipvs/pure.ts';
import type { PacketRules, VipBinding, VipClaim } from '../link/pure.ts';
import type { Allocations } from './types.ts';

/** Ports of a VIP, ends included. */
interface PortSpan {
  readonly vip: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
  readonly endPort: number;
}

/**
 * The packet rules of a pass: those of the desired services, and those that services which are still in the kernel
 * without being desired live by, so that a draining connection is not cut by its own firewall. Where both speak of a
 * port the desired service wins: its port is open either way, and a mark must not steal its packets.
 *
 * What the object of such a service had asked for is read from the rules in force; only where those are unknown is a
 * claim made from the service's key or the ledger's mark, open to every source (its servers are quiesced anyway).
 */
export function computeRulesGoal(input: {
  readonly desired: PacketRules;
  readonly leftover: IpvsTable;
  readonly bound: readonly VipBinding[];
  readonly inForce: PacketRules | undefined;
  readonly marks: Allocations['marks'];
}): PacketRules {
  const { desired, leftover, bound, inForce, marks } = input;
  const guarded = new Set(desired.vips);
  const stray = bound.map(({ vip }) => vip).filter((vip) => !guarded.has(vip));
  if (leftover.size === 0 && stray.length === 0) return desired;

  const byAddress = Map.groupBy(desired.claims, ({ vip, protocol }) => `${protocol} ${vip}`);
  const claims: VipClaim[] = [];
  const spans: PortSpan[] = [];
  for (const { key } of leftover.values()) {
    const mark = key.kind === 'mark' ? key.mark : undefined;
    const own: readonly PortSpan[] =
      key.kind === 'mark' ? spansOfMark(key.mark, marks) : [{ ...key, endPort: key.port }];
    for (const span of own) {
      const free = subtract(span, byAddress.get(`${span.protocol} ${span.vip}`) ?? []);
      spans.push(...free);
      for (const part of free) claims.push(...keepClaims(part, mark, inForce));
    }
  }
  return {
    vips: [...new Set([...desired.vips, ...stray, ...claims.map(({ vip }) => vip)])],
    claims: [...desired.claims, ...claims],
    sourceNat: [...desired.sourceNat, ...spans.flatMap((span) => clip(inForce?.sourceNat ?? [], span))],
    mssClamps: [
      ...desired.mssClamps,
      ...spans.flatMap((span) => (span.protocol === 'TCP' ? clip(inForce?.mssClamps ?? [], span) : [])),
    ],
  };
}

function spansOfMark(mark: number, marks: Allocations['marks']): readonly PortSpan[] {
  return Object.values(marks)
    .filter((allocation) => allocation.mark === mark)
    .flatMap(({ vip, claims }) => claims.map((claim) => ({ vip, ...claim })));
}

function keepClaims(
  span: PortSpan,
  mark: number | undefined,
  inForce: PacketRules | undefined,
): readonly VipClaim[] {
  const known = clip(inForce?.claims ?? [], span).filter((claim) => claim.mark === mark);
  const unknown = subtract(span, known).map((part) => ({ ...part, sourceRanges: [], mark }));
  return [...known, ...unknown];
}

/** The parts of rules that fall on a span. */
function clip<Rule extends Pick<PortSpan, 'vip' | 'port' | 'endPort'> & { readonly protocol?: Protocol }>(
  rules: readonly Rule[],
  span: PortSpan,
): readonly Rule[] {
  return rules
    .filter(
      ({ vip, protocol = span.protocol, port, endPort }) =>
        vip === span.vip && protocol === span.protocol && port <= span.endPort && span.port <= endPort,
    )
    .map((rule) => ({
      ...rule,
      port: Math.max(rule.port, span.port),
      endPort: Math.min(rule.endPort, span.endPort),
    }));
}

/** What is left of a span without the ports of some claims on the same address and protocol. */
function subtract(
  span: PortSpan,
  claims: readonly Pick<PortSpan, 'port' | 'endPort'>[],
): readonly PortSpan[] {
  const { vip, protocol } = span;
  const left: PortSpan[] = [];
  let { port } = span;
  for (const claim of claims.toSorted((a, b) => a.port - b.port)) {
    if (claim.endPort < port || claim.port > span.endPort) continue;
    if (claim.port > port) left.push({ vip, protocol, port, endPort: claim.port - 1 });
    port = claim.endPort + 1;
  }
  if (port <= span.endPort) left.push({ vip, protocol, port, endPort: span.endPort });
  return left;
}
