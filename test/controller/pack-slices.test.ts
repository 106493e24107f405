import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { packSlices } from '../../src/controller/pack-slices.ts';
import type { Packable, Packing, StoredMembers } from '../../src/controller/pack-slices.ts';

const nameOf = (number: number): string => `s${number}`;
const max = 10;
const runs = { numRuns: 500 };

function endpoint(address: string | number, portsKey = ''): Packable {
  return { address: String(address), portsKey };
}

function slice(name: string, addresses: readonly (string | number)[], portsKey = ''): StoredMembers {
  return { name, portsKey, addresses: addresses.map(String) };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function pack(stored: readonly StoredMembers[], endpoints: readonly Packable[]): Packing<Packable> {
  return packSlices({ stored, endpoints, maxEndpoints: max, nameOf });
}

function toStored({ slices }: Packing<Packable>): StoredMembers[] {
  return slices.map(({ name, portsKey, endpoints }) => ({
    name,
    portsKey,
    addresses: endpoints.map(({ address }) => address),
  }));
}

/** The writes of a packing in their order, each as what the store holds after it. */
function statesOf(stored: readonly StoredMembers[], packing: Packing<Packable>): StoredMembers[][] {
  const before = new Map(stored.map((one) => [one.name, one]));
  const differing = toStored(packing).filter((after) => {
    const last = before.get(after.name);
    return last === undefined || JSON.stringify(sorted(last)) !== JSON.stringify(sorted(after));
  });
  const gains = (after: StoredMembers): boolean => {
    const last = before.get(after.name);
    if (last === undefined || last.portsKey !== after.portsKey) return true;
    return after.addresses.some((address) => !last.addresses.includes(address));
  };
  const writes: ((state: Map<string, StoredMembers>) => void)[] = [
    ...differing.filter(gains).map(set),
    ...differing.filter((after) => !gains(after)).map(set),
    ...packing.emptied.map((name) => (state: Map<string, StoredMembers>) => void state.delete(name)),
  ];
  const state = new Map(before);
  return writes.map((write) => {
    write(state);
    return [...state.values()];
  });
}

function set(after: StoredMembers) {
  return (state: Map<string, StoredMembers>): void => void state.set(after.name, after);
}

function sorted({ name, portsKey, addresses }: StoredMembers): unknown {
  return [name, portsKey, addresses.toSorted()];
}

function normal(state: readonly StoredMembers[]): unknown[] {
  return state.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

const entryKeys = (state: readonly StoredMembers[]): Set<string> =>
  new Set(state.flatMap(({ portsKey, addresses }) => addresses.map((address) => `${address} ${portsKey}`)));

describe('packing endpoints into slices', () => {
  const scenarios: readonly {
    readonly name: string;
    readonly stored: readonly StoredMembers[];
    readonly endpoints: readonly Packable[];
    readonly slices: Readonly<Record<string, readonly number[]>>;
    readonly emptied?: readonly string[];
  }[] = [
    {
      name: 'new endpoints fill new slices to the brim',
      stored: [],
      endpoints: range(0, 23).map((n) => endpoint(n)),
      slices: { s0: range(0, 10), s1: range(10, 20), s2: range(20, 23) },
    },
    {
      name: 'an endpoint stays where it is, however the slices are filled',
      stored: [slice('s0', range(0, 9)), slice('s1', range(9, 18))],
      endpoints: range(0, 18).map((n) => endpoint(n)),
      slices: { s0: range(0, 9), s1: range(9, 18) },
    },
    {
      name: 'a new endpoint goes to the fullest slice with room',
      stored: [slice('s0', range(0, 6)), slice('s1', range(6, 15)), slice('s2', range(15, 25))],
      endpoints: range(0, 26).map((n) => endpoint(n)),
      slices: { s0: range(0, 6), s1: [...range(6, 15), 25], s2: range(15, 25) },
    },
    {
      name: 'a new endpoint goes where another left, so that one write does both',
      stored: [slice('s0', range(0, 6)), slice('s1', range(6, 15))],
      endpoints: [...range(1, 15), 99].map((n) => endpoint(n)),
      slices: { s0: [...range(1, 6), 99], s1: range(6, 15) },
    },
    {
      name: 'an empty slice goes',
      stored: [slice('s0', range(0, 8)), slice('s1', [8])],
      endpoints: range(0, 8).map((n) => endpoint(n)),
      slices: { s0: range(0, 8) },
      emptied: ['s1'],
    },
    {
      name: 'a slice that lost everything is filled again before a new one is made',
      stored: [slice('s3', range(0, 10))],
      endpoints: range(50, 55).map((n) => endpoint(n)),
      slices: { s3: range(50, 55) },
    },
    {
      name: 'slices at most half full together become one when one of them changes',
      stored: [slice('s0', [0, 1]), slice('s1', [2, 3, 4])],
      endpoints: range(0, 4).map((n) => endpoint(n)),
      slices: { s1: range(0, 4) },
      emptied: ['s0'],
    },
    {
      name: 'nothing is merged when nothing changes',
      stored: [slice('s0', [0, 1]), slice('s1', [2, 3])],
      endpoints: range(0, 4).map((n) => endpoint(n)),
      slices: { s0: [0, 1], s1: [2, 3] },
    },
    {
      name: 'what stands in two slices stays in the fuller one',
      stored: [slice('s0', [0, 1]), slice('s1', [0, 1, 2])],
      endpoints: range(0, 3).map((n) => endpoint(n)),
      slices: { s1: [0, 1, 2] },
      emptied: ['s0'],
    },
    {
      name: 'names that are taken are passed over',
      stored: [slice('s0', range(0, 10))],
      endpoints: range(0, 11).map((n) => endpoint(n)),
      slices: { s0: range(0, 10), s1: [10] },
    },
    {
      name: 'other ports are told by one write per slice',
      stored: [slice('s0', range(0, 10), 'http:80'), slice('s1', range(10, 12), 'http:80')],
      endpoints: range(0, 12).map((n) => endpoint(n, 'http:8080')),
      slices: { s0: range(0, 10), s1: range(10, 12) },
    },
    {
      name: 'endpoints with other ports stand in slices of their own',
      stored: [slice('s0', [0, 1, 2], 'a:1')],
      endpoints: [endpoint(0, 'a:1'), endpoint(1, 'a:1'), endpoint(2, 'a:2')],
      slices: { s0: [0, 1], s1: [2] },
    },
    {
      name: 'a slice over its limit gives the rest away',
      stored: [slice('s0', range(0, 12))],
      endpoints: range(0, 12).map((n) => endpoint(n)),
      slices: { s0: range(0, 10), s1: [10, 11] },
    },
  ];
  for (const { name, stored, endpoints, slices, emptied = [] } of scenarios) {
    it(name, () => {
      const packing = pack(stored, endpoints);
      const found = Object.fromEntries(
        packing.slices.map((one) => [
          one.name,
          one.endpoints.map(({ address }) => Number(address)).toSorted((a, b) => a - b),
        ]),
      );
      assert.deepEqual(found, slices);
      assert.deepEqual(packing.emptied, emptied);
    });
  }
});

const address = fc.integer({ min: 0, max: 60 }).map(String);
const portsKey = fc.constantFrom('', 'http:80', 'http:8080');
const endpoints = fc.uniqueArray(fc.record({ address, portsKey }), {
  selector: (one) => `${one.address} ${one.portsKey}`,
  maxLength: 60,
});
/** Any slices at all, as other hands or a crash might leave them. */
const anySlices = fc
  .array(fc.record({ portsKey, addresses: fc.uniqueArray(address, { maxLength: max }) }), { maxLength: 8 })
  .map((slices) => slices.map((one, index) => ({ ...one, name: nameOf(index * 2) })));
/** What earlier packings leave. */
const packedSlices = fc
  .array(endpoints, { maxLength: 6 })
  .map((history) =>
    history.reduce<readonly StoredMembers[]>((stored, wanted) => toStored(pack(stored, wanted)), []),
  );

describe('laws of packing', () => {
  it('loses nothing, repeats nothing and stays within the limit, whatever was stored', () => {
    fc.assert(
      fc.property(anySlices, endpoints, (stored, wanted) => {
        const packing = pack(stored, wanted);
        const all = packing.slices.flatMap((one) =>
          one.endpoints.map((member) => {
            assert.equal(member.portsKey, one.portsKey);
            return `${member.address} ${member.portsKey}`;
          }),
        );
        assert.deepEqual(all.toSorted(), wanted.map((one) => `${one.address} ${one.portsKey}`).toSorted());
        for (const one of packing.slices) assert.ok(one.endpoints.length > 0 && one.endpoints.length <= max);
        const names = [...packing.slices.map(({ name }) => name), ...packing.emptied];
        assert.equal(new Set(names).size, names.length);
        for (const { name } of stored) assert.ok(names.includes(name), `${name} is neither kept nor emptied`);
        for (const name of packing.emptied) assert.ok(stored.some((one) => one.name === name));
      }),
      runs,
    );
  });

  it('has nothing to do the second time', () => {
    fc.assert(
      fc.property(anySlices, endpoints, (stored, wanted) => {
        const once = toStored(pack(stored, wanted));
        assert.deepEqual(statesOf(once, pack(once, wanted)), []);
      }),
      runs,
    );
  });

  it('touches at most one slice per change, and one more', () => {
    fc.assert(
      fc.property(
        packedSlices,
        fc.array(fc.tuple(address, fc.boolean()), { maxLength: 5 }),
        (stored, churn) => {
          const wanted = new Map<string, Packable>(
            stored.flatMap((one) =>
              one.addresses.map((each) => [`${each} ${one.portsKey}`, endpoint(each, one.portsKey)] as const),
            ),
          );
          let changes = 0;
          for (const [each, isThere] of churn) {
            const key = `${each} `;
            if (wanted.has(key) === isThere) continue;
            changes++;
            if (isThere) wanted.set(key, endpoint(each));
            else wanted.delete(key);
          }
          const states = statesOf(stored, pack(stored, [...wanted.values()]));
          assert.ok(states.length <= changes + (changes > 0 ? 1 : 0), `${states.length} writes`);
        },
      ),
      runs,
    );
  });

  it('never lacks an endpoint that was there and will be there, after any write', () => {
    fc.assert(
      fc.property(anySlices, endpoints, (stored, wanted) => {
        const before = entryKeys(stored);
        const after = new Set(wanted.map((one) => `${one.address} ${one.portsKey}`));
        for (const state of statesOf(stored, pack(stored, wanted))) {
          const now = entryKeys(state);
          for (const key of before) if (after.has(key)) assert.ok(now.has(key), `${key} is missing`);
        }
      }),
      runs,
    );
  });

  it('arrives at the same slices when it is cut short after any write', () => {
    fc.assert(
      fc.property(packedSlices, endpoints, (stored, wanted) => {
        const packing = pack(stored, wanted);
        const end = normal(toStored(packing));
        for (const state of statesOf(stored, packing)) {
          assert.deepEqual(normal(toStored(pack(state, wanted))), end);
        }
      }),
      runs,
    );
  });

  it('changes one slice when one endpoint comes, goes or is replaced', () => {
    const stored = toStored(
      pack(
        [],
        range(0, 95).map((n) => endpoint(n)),
      ),
    );
    const all = range(0, 95);
    const write = (wanted: number[]) =>
      statesOf(
        stored,
        pack(
          stored,
          wanted.map((n) => endpoint(n)),
        ),
      ).length;
    assert.equal(write([...all, 200]), 1);
    assert.equal(write(all.slice(1)), 1);
    assert.equal(write([...all.slice(1), 200]), 1);
  });
});
