import type { IpvsTable, ObservedVirtualService } from '../ipvs/pure.ts';
import { vipAddressProtocol } from '../link/pure.ts';
import type { VipBinding } from '../link/pure.ts';
import type { ChangesInput } from './types.ts';
import { hasWitness } from './witness.ts';

/**
 * What is ours. A service is, when the ledger lists it or the kernel's own flags carry our witness: either may be lost,
 * both hardly. Everything else is foreign and never touched, its real servers included.
 */
export function isOwnedService(
  key: string,
  observed: Pick<ObservedVirtualService, 'config'>,
  ownedServices: ReadonlySet<string>,
): boolean {
  return ownedServices.has(key) || hasWitness(observed.config);
}

/** Our services in the kernel that nobody wants any more, by key. */
export function leftoverServices(
  input: Pick<ChangesInput, 'desired' | 'observed' | 'ownedServices'>,
): IpvsTable {
  const leftover = new Map<string, ObservedVirtualService>();
  for (const [key, service] of input.observed.table) {
    if (!input.desired.services.has(key) && isOwnedService(key, service, input.ownedServices)) {
      leftover.set(key, service);
    }
  }
  return leftover;
}

/** Our addresses in the kernel, against those that we want. */
export interface VipOwnership {
  /** Our addresses that the kernel holds now. */
  readonly bound: readonly VipBinding[];
  /** Those and the wanted ones, each once: the very list of the input when it says just that. */
  readonly owned: readonly VipBinding[];
  /** Bound is what is wanted, no more and no less. */
  readonly isSettled: boolean;
}

type VipInput = Pick<ChangesInput, 'desired' | 'observed' | 'ownedVips'>;

/** The answer of last time, by the observed list; a pass in which no address moved asks the same again. */
const ownerships = new WeakMap<
  readonly unknown[],
  { readonly ownedVips: readonly VipBinding[]; readonly wanted: readonly VipBinding[]; of: VipOwnership }
>();

/**
 * Ours are the addresses of the ledger, and those with our own IFA_PROTO (kernels before 5.18 show 0 there, and the
 * ledger alone speaks).
 */
export function computeVipOwnership({ desired, observed, ownedVips }: VipInput): VipOwnership {
  const { vips: wanted } = desired;
  const last = ownerships.get(observed.addresses);
  if (last?.wanted === wanted && last.ownedVips === ownedVips) return last.of;
  const bound = boundVips({ desired, observed, ownedVips });
  const wantedKeys = new Set(wanted.map(formatBinding));
  const boundKeys = new Set(bound.map(formatBinding));
  const owned = [
    ...new Map([...wanted, ...bound].map((binding) => [formatBinding(binding), binding])).values(),
  ];
  const of = {
    bound,
    owned: isSameBindings(owned, ownedVips) ? ownedVips : owned,
    isSettled: wantedKeys.size === boundKeys.size && [...wantedKeys].every((key) => boundKeys.has(key)),
  };
  ownerships.set(observed.addresses, { ownedVips, wanted, of });
  return of;
}

function isSameBindings(a: readonly VipBinding[], b: readonly VipBinding[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ vip, device, announce }, index) => {
      const other = b[index];
      return other?.vip === vip && other.device === device && other.announce === announce;
    })
  );
}

function boundVips(input: VipInput): readonly VipBinding[] {
  const known = new Map<string, VipBinding>();
  for (const binding of [...input.ownedVips, ...input.desired.vips])
    known.set(formatBinding(binding), binding);
  const bound: VipBinding[] = [];
  for (const { ip, device, protocol } of input.observed.addresses) {
    const binding = known.get(formatBinding({ vip: ip, device }));
    if (binding !== undefined) bound.push(binding);
    else if (protocol === vipAddressProtocol) bound.push({ vip: ip, device, announce: false });
  }
  return bound;
}

/** `192.0.2.1@eth0`: one address on one device. */
export function formatBinding({ vip, device }: Pick<VipBinding, 'vip' | 'device'>): string {
  return `${vip}@${device}`;
}
