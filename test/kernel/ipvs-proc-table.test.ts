import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import {
  IpvsClient,
  formatRealServerKey,
  formatVirtualServiceKey,
  ipvsTableFingerprint,
} from '../../src/ipvs/index.ts';
import { predictTableFingerprint } from '../../src/ipvs/pure.ts';
import { inNetns, loadLibc } from '../../src/netlink/index.ts';
import { empty } from '../contract/ipvs.contract.ts';
import {
  additions,
  entry,
  markService,
  realServer,
  realServerConfig,
  service,
  settingsOf,
} from '../contract/ipvs-entries.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { DirectorHost, LabNetwork } from '../lab/network.ts';
import { until } from './director-eyes.ts';
import { connectFrom, serveOn } from './link-hosts.ts';

const libc = loadLibc();

describe('the fingerprint of /proc/net/ip_vs', () => {
  let network: LabNetwork;
  let director: DirectorHost;
  let client: IpvsClient;
  before(async () => {
    network = await layOutNetwork({ realServers: 1 });
    ({ director } = network);
    client = IpvsClient.open({ libc, netns: director.netnsPath });
  });
  after(async () => {
    client.close();
    await network.remove();
  });

  const readTable = (): Buffer =>
    inNetns(libc, director.netnsPath, () => readFileSync('/proc/thread-self/net/ip_vs'));
  const fingerprint = (): string => ipvsTableFingerprint(readTable());

  const web = service('TCP', '192.0.2.10', 80);
  const web6 = service('TCP', '2001:db8::10', 80);
  const table = additions([
    entry(web, { scheduler: 'sh' }, [
      { key: realServer('10.0.0.1', 80), config: realServerConfig({ weight: 5 }) },
      { key: realServer('10.0.0.2', 80), config: realServerConfig({ weight: 6 }) },
    ]),
    entry(web6, {}, [{ key: realServer('2001:db8:5::1', 80), config: realServerConfig() }]),
    entry(service('UDP', '192.0.2.10', 53)),
  ]);

  it('changes with each of 15 edits by hand, and comes back with the table', async () => {
    const load = (): string => {
      empty(client);
      client.apply(table);
      return fingerprint();
    };
    const loaded = load();
    const edits: [edit: string, lines: string][] = [
      ['service added', '-A -t 192.0.2.11:80 -s rr'],
      ['mark added', '-A -f 5 -s rr'],
      ['service deleted', '-D -u 192.0.2.10:53'],
      ['scheduler', '-E -t 192.0.2.10:80 -s rr'],
      ['persistence', '-E -t 192.0.2.10:80 -s sh -p 60'],
      ['persistence mask', '-E -t [2001:db8::10]:80 -s rr -p 60 -M 64'],
      ['one packet', '-E -u 192.0.2.10:53 -s rr -o'],
      ['server added', '-a -t 192.0.2.10:80 -r 10.0.0.3:80 -m -w 1'],
      ['server deleted', '-d -t 192.0.2.10:80 -r 10.0.0.2:80'],
      ['weight', '-e -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 6'],
      ['quiesced', '-e -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 0'],
      ['weight over IPv6', '-e -t [2001:db8::10]:80 -r [2001:db8:5::1]:80 -m -w 2'],
      ['forwarding method', '-e -t 192.0.2.10:80 -r 10.0.0.1:80 -g -w 5'],
      [
        'weights exchanged',
        '-e -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 6\n-e -t 192.0.2.10:80 -r 10.0.0.2:80 -m -w 5',
      ],
      ['server moved', '-d -t 192.0.2.10:80 -r 10.0.0.2:80\n-a -u 192.0.2.10:53 -r 10.0.0.2:80 -m -w 6'],
    ];
    const seen = new Set([loaded]);
    for (const [edit, lines] of edits) {
      await director.check(['ipvsadm', '-R'], { input: `${lines}\n` });
      const changed = fingerprint();
      assert.ok(!seen.has(changed), edit);
      seen.add(changed);
      assert.equal(load(), loaded, `after ${edit}`);
    }
  });

  it('is what our own operations are computed to lead to', () => {
    empty(client);
    const flags = { scheduler: 'wlc', flags: 0x4c000004 };
    const servers = [
      { key: realServer('10.0.0.1', 8080), config: realServerConfig({ weight: 5 }) },
      { key: realServer('10.0.0.2', 80), config: realServerConfig({ weight: 0, forwarding: 'DR' }) },
    ];
    const steps = [
      [
        ...table,
        ...additions([entry(markService(5), {}, servers), entry(service('UDP', '192.0.2.9', 53), flags)]),
      ],
      [
        {
          type: 'editRealServer',
          service: web,
          realServer: realServer('10.0.0.1', 80),
          config: realServerConfig({ weight: 65_535 }),
        },
        { type: 'deleteRealServer', service: web, realServer: realServer('10.0.0.2', 80) },
        { type: 'deleteVirtualService', service: service('UDP', '192.0.2.9', 53) },
      ],
    ] as const;
    let predicted = fingerprint();
    let was = client.observeTable();
    for (const operations of steps) {
      client.apply(operations);
      const is = client.observeTable();
      const keys = new Set([...was.keys(), ...is.keys()]);
      const changes = [...keys].map((key) => ({ was: was.get(key), is: is.get(key) }));
      predicted = predictTableFingerprint(predicted, changes) ?? 'unknown';
      assert.equal(predicted, fingerprint());
      was = is;
    }
  });

  it('cannot see what the file does not show: the full look must', async () => {
    empty(client);
    client.apply(table);
    const loaded = fingerprint();
    const edits: [edit: string, lines: string][] = [
      ['scheduler flag', '-E -t 192.0.2.10:80 -s sh -b sh-port'],
      ['thresholds', '-e -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 5 -x 10 -y 5'],
    ];
    for (const [edit, lines] of edits) {
      const before = client.observeTable();
      await director.check(['ipvsadm', '-R'], { input: `${lines}\n` });
      assert.equal(fingerprint(), loaded, edit);
      assert.notDeepEqual(settingsOf(client.observeTable()), settingsOf(before), edit);
    }
  });

  it('does not change with traffic, whose counts are read in 64 bits', async (context) => {
    empty(client);
    const [backend] = network.realServers;
    assert.ok(backend);
    const vip = network.routedVip4(0);
    const key = service('TCP', vip, 80);
    await director.ip([`addr add ${vip}/32 dev lo`]);
    await serveOn(context, backend, 8080);
    const server = { key: realServer(backend.rip4, 8080), config: realServerConfig() };
    client.apply(additions([entry(key, {}, [server]), entry(markService(3))]));
    const quiet = fingerprint();
    const text = readTable().toString();
    const { answer } = await connectFrom(context, network.client, vip, 80);
    assert.match(answer, /^server1 sees /);
    assert.notEqual(readTable().toString(), text, 'the file itself shows the connection');
    assert.equal(fingerprint(), quiet);
    const live = client.observeRealServers(key).get(formatRealServerKey(server.key));
    assert.deepEqual(live?.connections, { active: 1, inactive: 0, persistent: 0 });
    // The estimator shows counters every two seconds.
    const stats = () => client.observeTable({ stats: true }).get(formatVirtualServiceKey(key))?.stats;
    await until('all is counted', () => {
      const { connections, packetsIn, bytesOut } = stats() ?? assert.fail();
      return connections === 1n && packetsIn >= 3n && bytesOut > 100n;
    });
    client.zero(key);
    assert.equal(stats()?.connections, 0n);
    assert.equal(fingerprint(), quiet);
  });

  it('of 1,000 services with 10 real servers each', (context) => {
    empty(client);
    const big = Array.from({ length: 1000 }, (_, n) =>
      entry(
        service('TCP', `10.1.${n >> 7}.${(n & 127) + 1}`, 80),
        { scheduler: 'wlc' },
        Array.from({ length: 10 }, (_unused, i) => ({
          key: realServer(`10.2.0.${i + 1}`, 80),
          config: realServerConfig(),
        })),
      ),
    );
    client.apply(additions(big));
    const start = performance.now();
    const text = readTable();
    const read = performance.now();
    const first = ipvsTableFingerprint(text);
    const hashed = performance.now();
    context.diagnostic(
      `11,000 lines, ${text.length >> 10} KiB: read in ${(read - start).toFixed(1)} ms, hashed in ${(hashed - read).toFixed(1)} ms`,
    );
    assert.ok(first.startsWith('11000:'));
    const change = {
      type: 'editRealServer',
      service: service('TCP', '10.1.7.100', 80),
      realServer: realServer('10.2.0.7', 80),
      config: realServerConfig({ weight: 2 }),
    } as const;
    client.apply([change]);
    assert.notEqual(fingerprint(), first);
    client.apply([{ ...change, config: realServerConfig() }]);
    assert.equal(fingerprint(), first);
    empty(client);
  });
});
