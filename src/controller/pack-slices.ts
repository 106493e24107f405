/**
 * Which endpoint stands in which slice. Every change of a slice goes to every director, so endpoints move as little as
 * possible: this is the whole art here, and it is pure.
 */

/** An endpoint as the packer sees it. All endpoints of a slice share its ports, so it has to know of those. */
export interface Packable {
  readonly address: string;
  /** One text for equal ports. */
  readonly portsKey: string;
}

/** A slice as it is stored. Several may hold one address: a pass that was cut short leaves that behind. */
export interface StoredMembers {
  readonly name: string;
  readonly portsKey: string;
  readonly addresses: readonly string[];
}

export interface PackedSlice<E extends Packable> {
  readonly name: string;
  readonly portsKey: string;
  /** In the order in which they were given. */
  readonly endpoints: readonly E[];
}

export interface Packing<E extends Packable> {
  /** In the order in which they are to be written, as far as they gain endpoints; see `packSlices`. */
  readonly slices: readonly PackedSlice<E>[];
  /** Names of stored slices that nothing is left for. */
  readonly emptied: readonly string[];
}

export interface PackingInput<E extends Packable> {
  readonly stored: readonly StoredMembers[];
  /** No two have both address and ports in common. */
  readonly endpoints: readonly E[];
  readonly maxEndpoints: number;
  /** A name for slice number 0, 1, …; a number whose name is taken is passed over. */
  readonly nameOf: (number: number) => string;
  /** Further names that are not to be had. */
  readonly takenNames?: ReadonlySet<string>;
}

/** A slice while it is packed. */
interface Draft<E extends Packable> {
  readonly name: string;
  readonly members: E[];
  /** It differs from what is stored, so that one more change costs nothing. */
  isTouched: boolean;
}

/**
 * Guarantees: every endpoint stands in exactly one slice; none has more than its limit; an endpoint stays where it is
 * unless two slices that are together at most half full become one; k endpoints that come or go touch at most k + 1
 * slices; the packing of a packing changes nothing.
 *
 * An endpoint that moves is in one of the two slices at every moment if slices that gain endpoints are written first,
 * in the given order, and emptied ones are deleted last. Cut short after any of these writes, the next pass arrives at
 * the same slices: a slice is filled to the brim before the next one gets anything, and what two slices hold after a
 * half finished move stays in the fuller one, which is where it was going.
 */
export function packSlices<E extends Packable>(input: PackingInput<E>): Packing<E> {
  const { stored, maxEndpoints } = input;
  const groups = groupByPorts(input.endpoints);
  const homes = assignGroups(stored, groups);
  const names = new NameSource(input);
  const slices: PackedSlice<E>[] = [];
  const emptied = stored.filter(({ name }) => !homes.has(name)).map(({ name }) => name);
  let spareMerges = 1;
  for (const [portsKey, wanted] of groups) {
    const homesHere = stored.filter(({ name }) => homes.get(name) === portsKey);
    const { drafts, unplaced, hasDuplicates } = keepPlaces(homesHere, wanted, maxEndpoints);
    if (hasDuplicates) spareMerges = 0;
    const filled = fill(drafts, unplaced, { maxEndpoints, names });
    spareMerges = merge(drafts, maxEndpoints / 2, spareMerges);
    const order = [...filled, ...drafts.filter((draft) => !filled.includes(draft))];
    const position = new Map([...wanted.values()].map((endpoint, index) => [endpoint, index]));
    for (const { name, members } of order) {
      const endpoints = members.toSorted((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
      if (endpoints.length === 0) emptied.push(name);
      else slices.push({ name, portsKey, endpoints });
    }
  }
  return { slices, emptied };
}

function groupByPorts<E extends Packable>(endpoints: readonly E[]): Map<string, Map<string, E>> {
  const groups = new Map<string, Map<string, E>>();
  for (const endpoint of endpoints) {
    const group = groups.get(endpoint.portsKey);
    if (group === undefined) groups.set(endpoint.portsKey, new Map([[endpoint.address, endpoint]]));
    else group.set(endpoint.address, endpoint);
  }
  return new Map([...groups].toSorted(([a], [b]) => compareText(a, b)));
}

/**
 * The ports that each slice is to hold: its own, if somebody still wants them, else those that most of its endpoints
 * have now: then the ports of a RealServer were changed, and one write per slice tells so.
 */
function assignGroups<E extends Packable>(
  stored: readonly StoredMembers[],
  groups: ReadonlyMap<string, ReadonlyMap<string, E>>,
): Map<string, string> {
  const homes = new Map<string, string>();
  for (const { name, portsKey, addresses } of stored) {
    if (groups.has(portsKey)) {
      homes.set(name, portsKey);
      continue;
    }
    let most = 0;
    for (const [candidate, wanted] of groups) {
      const count = addresses.reduce((sum, address) => sum + (wanted.has(address) ? 1 : 0), 0);
      if (count > most) {
        most = count;
        homes.set(name, candidate);
      }
    }
  }
  return homes;
}

/** Leaves every endpoint where it is; where it is twice, in the fuller slice. */
function keepPlaces<E extends Packable>(
  stored: readonly StoredMembers[],
  wanted: ReadonlyMap<string, E>,
  maxEndpoints: number,
): { readonly drafts: Draft<E>[]; readonly unplaced: readonly E[]; readonly hasDuplicates: boolean } {
  const unplaced = new Map(wanted);
  const counted = stored.map((slice) => ({
    slice,
    count: slice.addresses.reduce((sum, address) => sum + (wanted.has(address) ? 1 : 0), 0),
  }));
  let hasDuplicates = false;
  const drafts = counted
    .toSorted((a, b) => b.count - a.count || compareText(a.slice.name, b.slice.name))
    .map(({ slice, count }) => {
      const members: E[] = [];
      for (const address of slice.addresses) {
        const endpoint = unplaced.get(address);
        if (endpoint === undefined || members.length === maxEndpoints) continue;
        unplaced.delete(address);
        members.push(endpoint);
      }
      if (members.length < count) hasDuplicates = true;
      return { name: slice.name, members, isTouched: members.length < slice.addresses.length };
    });
  return { drafts, unplaced: [...unplaced.values()], hasDuplicates };
}

/**
 * Puts new endpoints where something changes anyway, then into the fullest slice with room, then into new slices.
 * @returns the slices that got some, in that order.
 */
function fill<E extends Packable>(
  drafts: Draft<E>[],
  unplaced: readonly E[],
  { maxEndpoints, names }: { readonly maxEndpoints: number; readonly names: NameSource<E> },
): Draft<E>[] {
  const filled: Draft<E>[] = [];
  let next = 0;
  const take = (draft: Draft<E>): void => {
    const share = unplaced.slice(next, next + maxEndpoints - draft.members.length);
    next += share.length;
    draft.members.push(...share);
    draft.isTouched = true;
    filled.push(draft);
  };
  const hasRoom = ({ members }: Draft<E>): boolean => members.length > 0 && members.length < maxEndpoints;
  const candidates = drafts
    .filter(hasRoom)
    .toSorted((a, b) => Number(b.isTouched) - Number(a.isTouched) || b.members.length - a.members.length);
  // What just lost everything is better than a new object, and worse than one that goes on anyway.
  candidates.push(...drafts.filter(({ members }) => members.length === 0));
  for (const draft of candidates) if (next < unplaced.length) take(draft);
  while (next < unplaced.length) {
    const draft: Draft<E> = { name: names.next(), members: [], isTouched: true };
    drafts.push(draft);
    take(draft);
  }
  return filled;
}

/**
 * Joins slices that are together at most half full, so that the next endpoints find room: a moved endpoint costs the
 * directors nothing when both slices change anyway. Beyond that, a merge costs one write more and saves an object.
 *
 * @param spare how many merges may touch a slice that does not change anyway.
 * @returns how many of these are left.
 */
function merge<E extends Packable>(drafts: readonly Draft<E>[], most: number, spare: number): number {
  let left = spare;
  for (let pair = findPair(drafts, most, left > 0); pair !== undefined;) {
    const { from, onto } = pair;
    if (!from.isTouched || !onto.isTouched) left--;
    onto.members.push(...from.members);
    from.members.length = 0;
    from.isTouched = true;
    onto.isTouched = true;
    pair = findPair(drafts, most, left > 0);
  }
  return left;
}

/** The smallest slice that can go, and the fullest that can take it in. */
function findPair<E extends Packable>(
  drafts: readonly Draft<E>[],
  most: number,
  hasSpare: boolean,
): { readonly from: Draft<E>; readonly onto: Draft<E> } | undefined {
  const candidates = drafts
    .filter(({ members }) => members.length > 0)
    .toSorted((a, b) => a.members.length - b.members.length || compareText(a.name, b.name));
  for (const [index, from] of candidates.entries()) {
    const onto = candidates
      .slice(index + 1)
      .findLast(
        (other) =>
          from.members.length + other.members.length <= most &&
          (hasSpare ? from.isTouched || other.isTouched : from.isTouched && other.isTouched),
      );
    if (onto !== undefined) return { from, onto };
  }
  return undefined;
}

/** Free names, lowest number first: a pass that was cut short finds the names that it gave. */
class NameSource<E extends Packable> {
  readonly #taken: Set<string>;
  readonly #nameOf: (number: number) => string;
  #number = 0;

  constructor({ stored, takenNames, nameOf }: PackingInput<E>) {
    this.#taken = new Set([...stored.map(({ name }) => name), ...(takenNames ?? [])]);
    this.#nameOf = nameOf;
  }

  next(): string {
    for (;;) {
      const name = this.#nameOf(this.#number++);
      if (!this.#taken.has(name)) return name;
    }
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
