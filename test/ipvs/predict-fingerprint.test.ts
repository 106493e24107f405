import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { IpAddress } from '../../src/base/index.ts';
import { ipvsTableFingerprint, predictTableFingerprint } from '../../src/ipvs/pure.ts';
import type { ObservedRealServer, ObservedVirtualService } from '../../src/ipvs/pure.ts';

const heading = 'IP Virtual Server version 1.2.1 (size=4096)\nProt\n  -> RemoteAddress:Port\n';

/** As a kernel 6.1 printed it; the objects of `recorded` say the same. */
const recordedText = `${heading}UDP  C000020A:0035 rr ops
TCP  [2001:0db8:0000:0000:0000:0000:0000:0010]:01BB mh 
  -> [2001:0db8:0005:0000:0000:0000:0000:0001]:01BB      Route   3      0          0         
  -> 0A000006:01BB      Tunnel  2      0          0         
TCP  C000020A:0050 wlc  
  -> 0A000002:0050      Route   0      0          0         
  -> 0A000001:1F90      Masq    5      12         3456      
FWM  00000010 rr 
  -> 0A000007:0000      Route   1      0          0         
`;

type Method = ObservedRealServer['config']['forwarding'];

function server(rip: string, port: number, forwarding: Method, weight: number): ObservedRealServer {
  return {
    key: { rip: rip as IpAddress, port },
    config: { forwarding, tunnel: undefined, weight, upperThreshold: 0, lowerThreshold: 0 },
    connections: { active: 0, inactive: 0, persistent: 0 },
    stats: undefined,
  };
}

function service(
  key: ObservedVirtualService['key'],
  scheduler: string,
  flags: number,
  servers: readonly ObservedRealServer[],
): ObservedVirtualService {
  const realServers = new Map(servers.map((of) => [`${of.key.rip} ${of.key.port}`, of]));
  const config = {
    scheduler,
    flags,
    persistenceTimeoutSeconds: 0,
    persistencePrefixLength: 32,
    persistenceEngine: undefined,
  };
  return { key, config, stats: undefined, realServers };
}

const address = (protocol: 'TCP' | 'UDP', vip: string, port: number) =>
  ({ kind: 'address', protocol, vip: vip as IpAddress, port }) as const;
const onePacket = 4;
const persistent = 1;

const recorded = [
  service(address('UDP', '192.0.2.10', 53), 'rr', onePacket, []),
  service(address('TCP', '2001:db8::10', 443), 'mh', 0, [
    server('2001:db8:5::1', 443, 'DR', 3),
    server('10.0.0.6', 443, 'TUN', 2),
  ]),
  service(address('TCP', '192.0.2.10', 80), 'wlc', 0, [
    server('10.0.0.2', 80, 'DR', 0),
    server('10.0.0.1', 8080, 'NAT', 5),
  ]),
  service({ kind: 'mark', family: 'IPv4', mark: 16 }, 'rr', 0, [server('10.0.0.7', 0, 'DR', 1)]),
];
const empty = ipvsTableFingerprint(Buffer.from(heading));
const added = recorded.map((is) => ({ was: undefined, is }));

describe('the fingerprint that our own operations lead to', () => {
  it('of a table programmed from nothing is that of what a kernel printed', () => {
    assert.equal(predictTableFingerprint(empty, added), ipvsTableFingerprint(Buffer.from(recordedText)));
  });

  it('of a table emptied again is that of none', () => {
    const full = predictTableFingerprint(empty, added) ?? '';
    const removed = recorded.map((was) => ({ was, is: undefined }));
    assert.equal(predictTableFingerprint(full, removed), empty);
  });

  it('cannot be told of a persistent service, whose timeout the kernel prints in ticks', () => {
    const is = service(address('TCP', '192.0.2.11', 80), 'rr', persistent, []);
    assert.equal(predictTableFingerprint(empty, [{ was: undefined, is }]), undefined);
    assert.equal(predictTableFingerprint(empty, [{ was: is, is: undefined }]), undefined);
  });

  it('cannot be told from text that is no fingerprint', () => {
    assert.equal(predictTableFingerprint('', []), undefined);
  });

  const state = fc.option(
    fc
      .record({
        scheduler: fc.constantFrom('rr', 'wlc'),
        weights: fc.dictionary(
          fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'),
          fc.integer({ min: 0, max: 3 }),
        ),
      })
      .map(({ scheduler, weights }) =>
        service(
          address('TCP', '192.0.2.10', 80),
          scheduler,
          0,
          Object.entries(weights).map(([rip, weight]) => server(rip, 80, 'NAT', weight)),
        ),
      ),
    { nil: undefined },
  );

  it('is the same by whatever steps the table came about', () => {
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 8 }), (states) => {
        let stepwise = empty;
        let was: ObservedVirtualService | undefined;
        for (const is of states) {
          stepwise = predictTableFingerprint(stepwise, [{ was, is }]) ?? '';
          was = is;
        }
        assert.equal(stepwise, predictTableFingerprint(empty, [{ was: undefined, is: was }]));
      }),
    );
  });
});
