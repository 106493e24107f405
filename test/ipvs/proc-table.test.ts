import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ipvsTableFingerprint } from '../../src/ipvs/index.ts';

const heading = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
`;

/** As a kernel 6.1 printed it. */
const recorded = `${heading}TCP  C000020B:0000 rr  persistent 30000 FFFFFF00
UDP  C000020A:0035 rr ops
TCP  [2001:0db8:0000:0000:0000:0000:0000:0010]:01BB mh  persistent 36000 40000000
  -> [2001:0db8:0005:0000:0000:0000:0000:0001]:01BB      Route   3      0          0         
  -> 0A000006:01BB      Tunnel  2      0          0         
TCP  C000020A:0050 wlc  
  -> 0A000002:0050      Route   0      0          0         
  -> 0A000001:1F90      Masq    5      12         3456      
FWM  00000010 rr 
  -> 0A000007:0000      Route   1      0          0         
`;

const fingerprint = (text: string) => ipvsTableFingerprint(Buffer.from(text));

describe('the fingerprint of a recorded table', () => {
  const same: [scenario: string, text: string][] = [
    ['connections come', recorded.replace('5      12         3456      ', '5      4294967295 4294967295')],
    ['connections go', recorded.replace('5      12         3456      ', '5      0          0         ')],
    ['the heading tells another size of the connection table', recorded.replace('size=4096', 'size=1048576')],
    ['the last line break is missing', recorded.trimEnd()],
    [
      'services are listed in another order',
      recorded.replace(/(UDP.*\n)(TCP {2}\[[^]*?)(?=TCP {2}C000020A)/, '$2$1'),
    ],
    [
      'real servers are listed in another order',
      recorded.replace(/( {2}-> 0A000002.*\n)( {2}-> 0A000001.*\n)/, '$2$1'),
    ],
  ];
  for (const [scenario, text] of same) {
    it(`is the same when ${scenario}`, () => {
      assert.notEqual(text, recorded, 'the scenario changes the text');
      assert.equal(fingerprint(text), fingerprint(recorded));
    });
  }

  const different: [scenario: string, from: string | RegExp, to: string][] = [
    ['a weight', 'Masq    5 ', 'Masq    6 '],
    ['a weight of IPv6', 'Route   3 ', 'Route   30'],
    ['a forwarding method', 'Route   0', 'Masq    0'],
    ['a scheduler', 'C000020A:0050 wlc', 'C000020A:0050 wrr'],
    ['one packet', 'rr ops', 'rr '],
    ['a persistence timeout', '30000', '30100'],
    ['a persistence mask', 'FFFFFF00', 'FFFF0000'],
    ['a prefix length of IPv6', '40000000', '80000000'],
    ['a port', '0A000001:1F90', '0A000001:1F91'],
    ['an address', '0A000001:1F90', '0A000003:1F90'],
    ['an IPv6 address', '0005:0000', '0006:0000'],
    ['a mark', 'FWM  00000010', 'FWM  00000011'],
    ['a protocol', 'UDP  ', 'SCTP '],
    ['a real server less', / {2}-> 0A000002.*\n/, ''],
    ['a service without servers less', /UDP.*\n/, ''],
    ['a server that moved to another service', /( {2}-> 0A000006.*\n)(TCP.*\n)/, '$2$1'],
  ];
  it('differs for every change, and no two changes look alike', () => {
    const seen = new Map([[fingerprint(recorded), 'nothing']]);
    for (const [scenario, from, to] of different) {
      const text = recorded.replace(from, to);
      assert.notEqual(text, recorded, scenario);
      const print = fingerprint(text);
      assert.equal(seen.get(print), undefined, scenario);
      seen.set(print, scenario);
    }
  });

  it('counts lines, and reads an empty table, a lone heading and nothing at all alike', () => {
    assert.ok(fingerprint(recorded).startsWith('10:'));
    assert.equal(fingerprint(heading), '0:0:0');
    assert.equal(fingerprint(''), '0:0:0');
    assert.equal(fingerprint('IP Virtual Server'), '0:0:0');
  });
});

interface Line {
  readonly address: number;
  readonly method: string;
  readonly weight: number;
}
interface Entry {
  readonly address: number;
  readonly scheduler: string;
  readonly servers: readonly Line[];
}

function format(table: readonly Entry[], connections: number): string {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
  const lines = table.flatMap(({ address, scheduler, servers }) => [
    `TCP  ${hex(address)}:0050 ${scheduler} `,
    ...servers.map((line) => {
      const columns = [line.method.padEnd(7), String(line.weight).padEnd(6), String(connections).padEnd(10)];
      return `  -> ${hex(line.address)}:0050      ${columns.join(' ')} 0         `;
    }),
  ]);
  return heading + lines.map((line) => `${line}\n`).join('');
}

const server = fc.record({
  address: fc.nat(0xffffffff),
  method: fc.constantFrom('Masq', 'Route', 'Tunnel'),
  weight: fc.nat(65_535),
});
const table = fc.uniqueArray(
  fc.record({
    address: fc.nat(0xffffffff),
    scheduler: fc.constantFrom('rr', 'wlc', 'mh'),
    servers: fc.uniqueArray(server, { maxLength: 8, selector: ({ address }) => address }),
  }),
  { minLength: 1, maxLength: 12, selector: ({ address }) => address },
);

describe('the fingerprint of any table', () => {
  it('does not depend on order or traffic', () => {
    fc.assert(
      fc.property(table, fc.nat(0xffffffff), fc.nat(), (entries, connections, turn) => {
        const rotate = <T>(list: readonly T[]): T[] => {
          const at = list.length === 0 ? 0 : turn % list.length;
          return [...list.slice(at), ...list.slice(0, at)];
        };
        const reordered = rotate(entries).map((entry) => ({
          ...entry,
          servers: rotate(entry.servers).toReversed(),
        }));
        assert.equal(
          fingerprint(format(reordered.toReversed(), connections)),
          fingerprint(format(entries, 0)),
        );
      }),
    );
  });

  it('differs as soon as one weight, method or scheduler does', () => {
    fc.assert(
      fc.property(
        table,
        fc.nat(),
        fc.nat(),
        fc.constantFrom('weight', 'method', 'scheduler'),
        (entries, s, r, what) => {
          const entry = entries[s % entries.length];
          assert.ok(entry);
          const at = entry.servers.length === 0 ? 0 : r % entry.servers.length;
          const servers = entry.servers.map((line, i) =>
            i !== at
              ? line
              : what === 'weight'
                ? { ...line, weight: line.weight + 1 }
                : { ...line, method: 'Local' },
          );
          const isService = what === 'scheduler' || servers.length === 0;
          const changed = isService ? { ...entry, scheduler: 'nq' } : { ...entry, servers };
          const text = format(
            entries.map((other) => (other === entry ? changed : other)),
            0,
          );
          assert.notEqual(fingerprint(text), fingerprint(format(entries, 0)));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
