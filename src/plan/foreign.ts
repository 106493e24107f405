import type { Change } from './types.ts';
import { formatRealServerKey, formatVirtualServiceKey } from '../ipvs/pure.ts';

/**
 * Foreign hands: another program that keeps changing what is ours. One repair is help after an accident; the third
 * within a minute is a fight, and fights over a kernel table cost more than they win. From then on repairs of that one
 * entry (a service, a real server, a VIP, a sysctl, or our packet rules as a whole) wait, longer each time; everything
 * else is repaired as ever.
 */
export interface ForeignHands {
  /** By entry: see `entryOfChange`. */
  readonly entries: ReadonlyMap<string, RepairHistory>;
}

interface RepairHistory {
  /** Wall clock of the repairs within the window, oldest first. */
  readonly repairsMs: readonly number[];
  /** 0 while nobody fights over it; doubles with every further repair. */
  readonly backoffMs: number;
  /** Next repair not before this. */
  readonly notBeforeMs: number;
}

export const noForeignHands: ForeignHands = { entries: new Map() };

/** This many repairs of one entry within the window are a fight. */
const repairsOfFight = 3;
const windowMs = 60_000;
const firstBackoffMs = 1000;
const longestBackoffMs = 60_000;
/** After this long without a repair an entry is at peace again. */
const peaceMs = 2 * longestBackoffMs;

/**
 * Takes note of the repairs of one pass (see `isRepair`) and forgets entries that have been left alone.
 * @param repaired entries, once each.
 */
export function recordRepairs(state: ForeignHands, repaired: readonly string[], nowMs: number): ForeignHands {
  if (repaired.length === 0 && state.entries.size === 0) return state;
  const entries = new Map<string, RepairHistory>();
  for (const [key, history] of state.entries) {
    const last = history.repairsMs.at(-1);
    if (last !== undefined && nowMs - last < peaceMs) entries.set(key, history);
  }
  for (const key of repaired) entries.set(key, afterRepair(entries.get(key), nowMs));
  return { entries };
}

function afterRepair(history: RepairHistory | undefined, nowMs: number): RepairHistory {
  const recent = (history?.repairsMs ?? []).filter((repairMs) => nowMs - repairMs < windowMs);
  const repairsMs = [...recent, nowMs].slice(-repairsOfFight);
  const before = history?.backoffMs ?? 0;
  // Once it is a fight it stays one until peace: waiting makes repairs rare, and rare must not look like peaceful.
  if (before === 0 && repairsMs.length < repairsOfFight)
    return { repairsMs, backoffMs: 0, notBeforeMs: nowMs };
  const backoffMs = before === 0 ? firstBackoffMs : Math.min(before * 2, longestBackoffMs);
  return { repairsMs, backoffMs, notBeforeMs: nowMs + backoffMs };
}

/** Entries that are being fought over, sorted. */
export function foughtEntries(state: ForeignHands): readonly string[] {
  return [...state.entries]
    .filter(([, { backoffMs }]) => backoffMs > 0)
    .map(([key]) => key)
    .toSorted();
}

/** Whether the repair of an entry has to wait. */
export function isBackedOff(state: ForeignHands, entry: string, nowMs: number): boolean {
  const history = state.entries.get(entry);
  return history !== undefined && nowMs < history.notBeforeMs;
}

/**
 * Takes the repairs that have to wait out of the changes of a pass. Changes that people asked for never wait.
 * @returns `wakeAtMs`: when the first of them is due.
 */
export function withholdRepairs(
  changes: readonly Change[],
  state: ForeignHands,
  nowMs: number,
): {
  readonly changes: readonly Change[];
  readonly withheld: readonly string[];
  readonly wakeAtMs: number | undefined;
} {
  if (foughtEntries(state).length === 0) return { changes, withheld: [], wakeAtMs: undefined };
  const withheld: string[] = [];
  let wakeAtMs: number | undefined;
  const rest = changes.filter((change) => {
    const entry = isRepair(change) ? entryOfChange(change) : undefined;
    if (entry === undefined || !isBackedOff(state, entry, nowMs)) return true;
    withheld.push(entry);
    const dueMs = state.entries.get(entry)?.notBeforeMs ?? nowMs;
    wakeAtMs = wakeAtMs === undefined ? dueMs : Math.min(wakeAtMs, dueMs);
    return false;
  });
  return { changes: rest, withheld, wakeAtMs };
}

/** Whether a change undoes what other hands did. */
export function isRepair(change: Change): boolean {
  switch (change.type) {
    case 'ipvs':
      return change.reason === 'Drift';
    case 'setSysctl':
    case 'setPacketRules':
    case 'bindVip':
      return change.isRepair;
    case 'releaseVip':
      // Only what is ours is released, and it is ours no longer after that.
      return false;
  }
}

/** The entry that a change is about, as a key for `recordRepairs`. */
export function entryOfChange(change: Change): string {
  switch (change.type) {
    case 'ipvs': {
      const { operation } = change;
      const service = formatVirtualServiceKey(operation.service);
      return 'realServer' in operation ? `${service} ${formatRealServerKey(operation.realServer)}` : service;
    }
    case 'setSysctl':
      return `sysctl ${change.path.replaceAll('/', '.')}`;
    case 'setPacketRules':
      return packetRulesEntry;
    case 'bindVip':
    case 'releaseVip':
      return `VIP ${change.binding.vip} on ${change.binding.device}`;
  }
}

const entriesNamed = 4;
const packetRulesEntry = 'The set of our packet rules';

/** What the shell can see of other programs on the host. */
export interface ForeignHints {
  /** Interface names. */
  readonly interfaces: readonly string[];
  /** Names of running programs. */
  readonly processes: readonly string[];
}

/** The program that is probably at work, with what to do about it; undefined: nothing points to anyone. */
export function likelyOwner({ interfaces, processes }: ForeignHints): string | undefined {
  const signs: readonly (readonly [isThere: boolean, who: string])[] = [
    [
      interfaces.includes('kube-ipvs0'),
      'kube-proxy in ipvs mode (interface kube-ipvs0); run it in nftables or iptables mode on directors',
    ],
    [
      interfaces.includes('kube-dummy-if'),
      'kube-router (interface kube-dummy-if); switch off its service proxy on directors',
    ],
    [
      processes.includes('keepalived'),
      'keepalived; remove its virtual_server blocks or stop it on directors',
    ],
  ];
  return signs.find(([isThere]) => isThere)?.[1];
}

/** One sentence for a condition; undefined while there is peace. */
export function describeForeignHands(state: ForeignHands, hints: ForeignHints): string | undefined {
  const fought = foughtEntries(state);
  const [first] = fought;
  if (first === undefined) return undefined;
  const named = fought.slice(0, entriesNamed).join(', ');
  const more = fought.length > entriesNamed ? ` and ${fought.length - entriesNamed} more` : '';
  const owner = likelyOwner(hints) ?? `another program on this host; find out ${whoElse(first)}`;
  return `${named}${more} ${fought.length === 1 ? 'is' : 'are'} changed again and again, probably by ${owner}. Repairs wait up to a minute.`;
}

function whoElse(entry: string): string {
  if (entry === packetRulesEntry)
    return 'who else writes the firewall (iptables -S shows chains by their names)';
  if (entry.startsWith('sysctl ')) return 'who else writes that setting';
  if (entry.startsWith('VIP ')) return 'who else manages addresses';
  return 'who runs ipvsadm or speaks to IPVS';
}
