import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import { procServiceName, readProcConnections } from '../../src/ipvs/index.ts';

const heading = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
`;

/** As a kernel 6.1 printed it. */
const recorded = `${heading}TCP  C000020B:0000 rr  persistent 30000 FFFFFF00
TCP  [2001:0db8:0000:0000:0000:0000:0000:0010]:01BB mh  persistent 36000 40000000
  -> [2001:0db8:0005:0000:0000:0000:0000:0001]:01BB      Route   3      7          1         
TCP  C000020A:0050 wlc  
  -> 0A000002:0050      Route   0      1          4         
  -> 0A000001:1F90      Masq    5      12         3456      
FWM  00000010 rr 
  -> 0A000007:0000      Route   1      0          2         
`;

const counts = readProcConnections(Buffer.from(recorded));
const address = (vip: string, port: number) =>
  ({ kind: 'address', protocol: 'TCP', vip: parseIpAddress(vip), port }) as const;

describe('connections of a recorded table', () => {
  it('are summed by service', () => {
    const of = (key: Parameters<typeof procServiceName>[0]) => counts.get(procServiceName(key));
    assert.deepEqual(of(address('192.0.2.10', 80)), { active: 13, inactive: 3460 });
    assert.deepEqual(of(address('2001:db8::10', 443)), { active: 7, inactive: 1 });
    assert.deepEqual(of(address('192.0.2.11', 0)), { active: 0, inactive: 0 });
    assert.deepEqual(of({ kind: 'mark', mark: 16, family: 'IPv4' }), { active: 0, inactive: 2 });
    assert.equal(of(address('192.0.2.10', 81)), undefined);
  });

  it('are none in an empty table', () => {
    assert.equal(readProcConnections(Buffer.from(heading)).size, 0);
    assert.equal(readProcConnections(Buffer.from('')).size, 0);
  });
});
