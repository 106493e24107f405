import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { isLvsError } from '../../src/base/index.ts';
import { IpvsClient, formatRealServerKey, formatVirtualServiceKey } from '../../src/ipvs/index.ts';
import { loadLibc } from '../../src/netlink/index.ts';
import { describeIpvsContract, empty } from '../contract/ipvs.contract.ts';
import {
  additions,
  entry,
  markService,
  persistent,
  realServer,
  realServerConfig,
  service,
  settingsOf,
  tunnelTo,
  wantedSettings,
} from '../contract/ipvs-entries.ts';
import type { Entry } from '../contract/ipvs-entries.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { DirectorHost, LabNetwork } from '../lab/network.ts';

describeIpvsContract('the IPVS contract on the real kernel', async () => {
  const network = await layOutNetwork({ realServers: 0 });
  return {
    clientOptions: { libc: loadLibc(), netns: network.director.netnsPath },
    bigTable: { services: 2000, realServers: 50 },
    close: () => network.remove(),
  };
});

/** The same table twice: as our operations, and as the lines of `ipvsadm -Sn` that say the same (it keeps thresholds to itself). */
const entries: readonly Entry[] = [
  entry(service('TCP', '192.0.2.10', 80), { scheduler: 'wlc' }, [
    { key: realServer('10.0.0.1', 8080), config: realServerConfig({ weight: 5 }) },
    {
      key: realServer('10.0.0.2', 80),
      config: realServerConfig({ forwarding: 'DR', weight: 0, upperThreshold: 100, lowerThreshold: 50 }),
    },
    { key: realServer('10.0.0.3', 80), config: realServerConfig(tunnelTo('IPIP')) },
    { key: realServer('10.0.0.4', 80), config: realServerConfig(tunnelTo('GUE', 'Checksum', 6081)) },
    { key: realServer('10.0.0.5', 80), config: realServerConfig(tunnelTo('GRE')) },
  ]),
  entry(service('TCP', '192.0.2.10', 443), { scheduler: 'sh', flags: 0x18 }),
  entry(service('TCP', '192.0.2.11', 0), persistent(300, 24)),
  entry(service('TCP', '2001:db8::10', 443), persistent(360, 64, { scheduler: 'mh', flags: 0x10 }), [
    { key: realServer('2001:db8:5::1', 443), config: realServerConfig({ forwarding: 'DR', weight: 3 }) },
    {
      key: realServer('10.0.0.6', 443),
      config: realServerConfig({ ...tunnelTo('GUE', 'RemoteChecksum'), weight: 2 }),
    },
  ]),
  entry(service('UDP', '192.0.2.10', 53), { flags: 4 }),
  entry(service('UDP', '192.0.2.10', 5060), persistent(60, 32, { persistenceEngine: 'sip' })),
  entry(service('SCTP', '192.0.2.10', 36412), { scheduler: 'lc' }),
  entry(markService(16), {}, [
    { key: realServer('10.0.0.7', 0), config: realServerConfig({ forwarding: 'DR' }) },
  ]),
  entry(markService(16, 'IPv6'), { scheduler: 'nq' }),
];

const saved = `
-A -f 16 -6 -s nq
-A -f 16 -s rr
-A -t 192.0.2.10:443 -s sh -b sh-fallback,sh-port
-A -t 192.0.2.10:80 -s wlc
-A -t 192.0.2.11:0 -s rr -p 300 -M 255.255.255.0
-A -t [2001:db8::10]:443 -s mh -p 360 -M 64 -b mh-port
-A -u 192.0.2.10:5060 -s rr -p 60 --pe sip
-A -u 192.0.2.10:53 -s rr -o
-A --sctp-service 192.0.2.10:36412 -s lc
-a -f 16 -r 10.0.0.7:0 -g -w 1
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 5
-a -t 192.0.2.10:80 -r 10.0.0.2:80 -g -w 0
-a -t 192.0.2.10:80 -r 10.0.0.3:80 -i -w 1 --tun-type ipip
-a -t 192.0.2.10:80 -r 10.0.0.4:80 -i -w 1 --tun-type gue --tun-port 6081 --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.5:80 -i -w 1 --tun-type gre --tun-nocsum
-a -t [2001:db8::10]:443 -r 10.0.0.6:443 -i -w 2 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t [2001:db8::10]:443 -r [2001:db8:5::1]:443 -g -w 3
`
  .trim()
  .split('\n');

describe('IPVS with ipvsadm and traffic as witnesses', () => {
  let network: LabNetwork;
  let director: DirectorHost;
  let client: IpvsClient;
  before(async () => {
    network = await layOutNetwork({ realServers: 1 });
    ({ director } = network);
    client = IpvsClient.open({ libc: loadLibc(), netns: director.netnsPath });
  });
  afterEach(() => empty(client));
  after(async () => {
    client.close();
    await network.remove();
  });

  it('ipvsadm reads what we write', async () => {
    assert.deepEqual(
      client.apply(additions(entries)).filter((outcome) => outcome !== 'done'),
      [],
    );
    const lines = (await director.check(['ipvsadm', '-Sn']))
      .trim()
      .split('\n')
      .map((line) => line.trimEnd());
    assert.deepEqual(lines.toSorted(), saved.toSorted());
    assert.match(await director.check(['ipvsadm', '-Ln', '--thresholds']), /-> 10\.0\.0\.2:80 +100 +50 /);
  });

  it('we read what ipvsadm writes', async () => {
    const lines = saved.map((line) => (line.endsWith('-g -w 0') ? `${line} -x 100 -y 50` : line));
    await director.check(['ipvsadm', '-R'], { input: `${lines.join('\n')}\n` });
    assert.deepEqual(settingsOf(client.observeTable()), wantedSettings(entries));
  });

  it('a table that others change while it is read is never half told', async () => {
    const web = service('TCP', '192.0.2.10', 80);
    const own = Array.from({ length: 300 }, (_, i) => ({
      key: realServer(`10.1.${i >> 8}.${i & 255}`, 80),
      config: realServerConfig(),
    }));
    client.apply(additions([entry(web, {}, own)]));
    const strangers = Array.from({ length: 200 }, (_, i) => `10.2.0.${i}`);
    const churn = ['a', 'd'].flatMap((verb) =>
      strangers.map((rip) => `-${verb} -t 192.0.2.10:80 -r ${rip}:80${verb === 'a' ? ' -m -w 1' : ''}\n`),
    );
    const other = director.spawn(['sh', '-c', 'cat >/run/churn; while :; do ipvsadm -R </run/churn; done']);
    other.stdin?.end(churn.join(''));
    const sizes = new Set<number>();
    let interrupted = 0;
    try {
      for (let look = 0; look < 150; look++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        try {
          const observed = client.observeTable().get(formatVirtualServiceKey(web))?.realServers;
          for (const { key } of own)
            assert.ok(observed?.has(formatRealServerKey(key)), `${key.rip} is there all the time`);
          sizes.add(observed?.size ?? 0);
        } catch (error) {
          if (!isLvsError(error, 'LVS_NETLINK_INTERRUPTED')) throw error;
          interrupted += 1;
        }
      }
    } finally {
      other.kill('SIGKILL');
      director.killAll();
    }
    assert.ok(sizes.size + interrupted > 1, 'nobody changed anything: this test proved nothing');
    assert.ok([...sizes].every((size) => size >= 300 && size <= 500));
  });
});
