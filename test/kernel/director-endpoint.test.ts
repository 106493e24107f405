import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { readDirectorStatus } from '../../src/api/index.ts';
import { directorType } from '../../src/cluster/index.ts';
import type { CountersDocument } from '../../src/director/counters-page.ts';
import { clusterMetrics, directorMetrics, processMetrics } from '../../src/metrics/index.ts';
import type { MetricDefinitions } from '../../src/metrics/index.ts';
import { askEndpoint } from '../lab/ask-endpoint.ts';
import type { EndpointAnswer, EndpointQuestion } from '../lab/ask-endpoint.ts';
import { LabCluster } from '../lab/cluster.ts';
import { LabDirector } from '../lab/director-process.ts';
import type { LabHost } from '../lab/host.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { LabSockets } from '../lab/sockets.ts';
import { sendRequests, startServers } from '../lab/traffic.ts';
import { parseExposition } from '../metrics/exposition.ts';
import type { Exposition } from '../metrics/exposition.ts';
import { sleep, until } from './director-eyes.ts';
import { clusterPool, labPool, realServer, virtualService } from './director-objects.ts';

/** What a director tells over HTTP, beside what its kernel says by ipvsadm. */

let network: LabNetwork;
let sockets: LabSockets;
const rips = ['198.51.100.11', '198.51.100.12'] as const;

before(async () => {
  network = await layOutNetwork({ realServers: 2 });
  sockets = new LabSockets();
  await startServers(network.realServers, { http: [80, 8080] });
});

after(async () => {
  sockets.close();
  await network.remove();
});

const ask = (question: EndpointQuestion, host: LabHost = network.director): Promise<EndpointAnswer> =>
  askEndpoint(sockets, host, question);

async function scrape(question: Partial<EndpointQuestion> = {}): Promise<Exposition> {
  const { status, body } = await ask({ path: '/metrics', ...question });
  assert.equal(status, 200, body);
  return parseExposition(body);
}

/** Of each service and real server, the five numbers that `ipvsadm -Ln --stats --exact` prints. */
async function ipvsadmCounters(): Promise<Map<string, readonly number[]>> {
  const text = await network.director.check(['ipvsadm', '-Ln', '--stats', '--exact']);
  const counters = new Map<string, readonly number[]>();
  let service = '';
  for (const line of text.split('\n')) {
    const [, head = '', name = '', numbers = ''] =
      /^(TCP|UDP| {2}->)\s+(\S+:\d+)\s+(\d[\d\s]*)$/.exec(line) ?? [];
    if (head === '') continue;
    if (head !== '  ->') service = `${head} ${name}`;
    counters.set(head === '  ->' ? `${service} > ${name}` : service, numbers.trim().split(/\s+/).map(Number));
  }
  return counters;
}

const statistics = [
  'connections',
  'incoming_packets',
  'outgoing_packets',
  'incoming_bytes',
  'outgoing_bytes',
] as const;

function scrapedCounters({ samples }: Exposition): Map<string, readonly number[]> {
  const counters = new Map<string, number[]>();
  for (const [index, statistic] of statistics.entries()) {
    for (const kind of ['virtual_service', 'real_server']) {
      for (const [series, value] of samples) {
        const [, service = '', server] =
          new RegExp(
            `^lvs_director_${kind}_${statistic}_total\\{virtual_service="[^"]+",service="([^"]+)"(?:,real_server="([^"]+)")?\\}$`,
          ).exec(series) ?? [];
        if (service === '') continue;
        const key = server === undefined ? service : `${service} > ${server}`;
        const list = counters.get(key) ?? [];
        list[index] = value;
        counters.set(key, list);
      }
    }
  }
  return counters;
}

function absent({ types, samples }: Exposition, definitions: MetricDefinitions): string[] {
  const names = [...samples.keys()].map((series) => series.replace(/\{.*/, ''));
  const there = new Set(names.map((name) => name.replace(/_(?:bucket|sum|count)$/, '')));
  return Object.keys(definitions).filter(
    (name) => !types.has(name) || !(there.has(name) || names.includes(name)),
  );
}

describe('a director with manifests', () => {
  let director: LabDirector;

  before(async () => {
    director = new LabDirector(network.director, {
      'pool.yaml': labPool,
      'web.yaml': virtualService('web', network.vip4(0), {
        ports: [
          { name: 'http', port: 80 },
          { name: 'alt', port: 8080 },
        ],
        drain: { timeoutSeconds: 1, settleSeconds: 1 },
      }),
      'web-1.yaml': realServer('web', rips[0], { weight: 3 }),
      'web-2.yaml': realServer('web', rips[1]),
    });
    await director.start();
  });

  after(() => director.stop());

  it('is alive and ready, and says so to the host only', async () => {
    const alive = await ask({ path: '/healthz' });
    assert.deepEqual([alive.status, alive.body], [200, '[+]event-loop ok\n[+]passes ok\nok\n']);
    assert.equal((await ask({ path: '/readyz' })).status, 200);
    await assert.rejects(ask({ path: '/healthz', address: network.director.uplink.ip4 }, network.client));
  });

  it('tells the traffic that the kernel has counted, as ipvsadm does', async () => {
    const counts = await sendRequests(network.client, { host: network.vip4(0), port: 80, count: 40 });
    await sendRequests(network.client, { host: network.vip4(0), port: 8080, count: 13 });
    assert.equal(counts.failed, 0);
    const look = async () => [await ipvsadmCounters(), scrapedCounters(await scrape())] as const;
    const connections = (port: number): number | undefined =>
      kernel.get(`TCP ${network.vip4(0)}:${port}`)?.[0];
    let [kernel, told] = await look();
    // The kernel adds up every two seconds, and may do so between the two looks.
    await until('both say the same', async () => {
      [kernel, told] = await look();
      return connections(80) === 40 && connections(8080) === 13 && isDeepStrictEqual(told, kernel);
    }).catch(() => {});
    console.log(kernel);
    assert.equal(kernel.size, 6);
    assert.deepEqual([connections(80), connections(8080)], [40, 13]);
    assert.deepEqual(told, kernel);
  });

  it('tells weights, and connections that are open now', async () => {
    const held = await sockets.hold(network.client, network.vip4(0), 80, { timeoutMs: 300 });
    let { samples } = await scrape();
    const of = (metric: string, rip: string): number | undefined =>
      samples.get(
        `lvs_director_real_server_${metric}{virtual_service="default/web",service="TCP ${network.vip4(0)}:80",real_server="${rip}:80"}`,
      );
    // The last packet of the handshake, which makes it active, may still be on its way.
    await until('the connection is told', async () => {
      ({ samples } = await scrape());
      const [one = 0, two = 0] = rips.map((rip) => of('active_connections', rip));
      return one + two === 1;
    });
    held.socket.destroy();
    assert.deepEqual(
      rips.map((rip) => of('weight', rip)),
      [3, 100],
    );
  });

  it('tells every metric that is documented for it', async () => {
    const exposition = await scrape();
    assert.deepEqual(absent(exposition, { ...directorMetrics, ...processMetrics }), []);
    assert.equal(exposition.samples.get('lvs_director_ready'), 1);
    assert.ok((exposition.samples.get('lvs_director_passes_total{outcome="done"}') ?? 0) > 1);
    assert.equal(exposition.samples.get('lvs_director_passes_total{outcome="failed"}'), 0);
    assert.equal(exposition.samples.get('lvs_director_condition{type="Ready"}'), 1);
  });

  it('tells how the real servers of a checked service do, as long as it is there', async () => {
    const check = { tcp: {}, intervalSeconds: 1, initialState: 'Up' };
    director.write('checked.yaml', virtualService('checked', network.vip4(1), { healthCheck: check }));
    director.write('checked-servers.yaml', realServer('checked', rips));
    const ofService = `virtual_service="default/checked",service="TCP ${network.vip4(1)}:80"`;
    const [series = ''] = rips.map((rip) => `{${ofService},real_server="${rip}:80"}`);
    let { samples } = await scrape();
    const of = (name: string, labels: string) => samples.get(`lvs_director_${name}${labels}`) ?? Number.NaN;
    await until('both have passed twice', async () => {
      ({ samples } = await scrape());
      return of('probes_total', '{check="tcp",outcome="passed"}') >= 4;
    });
    assert.equal(of('real_server_up', series), 1);
    assert.ok(of('real_server_probe_age_seconds', series) < 3);
    assert.equal(of('virtual_service_checked_real_servers', `{${ofService},state="up"}`), 2);
    assert.equal(of('virtual_service_quorum_lost', `{${ofService}}`), 0);
    assert.equal(of('probe_failures_total', '{reason="ConnectionRefused"}'), 0);
    assert.ok(of('probe_duration_seconds_count', '{check="tcp"}') >= 4);
    assert.equal(of('prober_probes', ''), 2);
    director.remove('checked.yaml');
    director.remove('checked-servers.yaml');
    await until('it is gone', async () => {
      ({ samples } = await scrape());
      return of('prober_probes', '') === 0;
    });
    assert.deepEqual(
      [...samples.keys()].filter((name) => /_(?:up|age_seconds|lost)\{.*default\/checked/.test(name)),
      [],
    );
  });

  it('tells the controller the connections of each real server in one document', async () => {
    const count = async (): Promise<{ document: CountersDocument; told: number[]; kernel: number[] }> => {
      const { status, body } = await ask({ path: '/v1/counters' });
      assert.equal(status, 200);
      const document = JSON.parse(body) as CountersDocument;
      const table = await ipvsadmCounters();
      const rows = document.services[0]?.realServers ?? [];
      return {
        document,
        told: rips.map((rip) =>
          rows
            .filter(([address]) => address === rip)
            .reduce((sum, [, , connections]) => sum + connections, 0),
        ),
        kernel: rips.map(
          (rip) =>
            (table.get(`TCP ${network.vip4(0)}:80 > ${rip}:80`)?.[0] ?? 0) +
            (table.get(`TCP ${network.vip4(0)}:8080 > ${rip}:8080`)?.[0] ?? 0),
        ),
      };
    };
    // The kernel moves totals every two seconds, so one look may fall before and the other behind that.
    let last = await count();
    await until('both say the same', async () => {
      last = await count();
      return String(last.told) === String(last.kernel);
    });
    assert.ok(last.told.every((connections) => connections > 0));
    assert.equal(last.document.version, 1);
    assert.equal(last.document.services[0]?.virtualService, 'default/web');
  });

  it('counts repairs, and forgets what is gone', async () => {
    const before = (await scrape()).samples.get('lvs_director_drift_repairs_total') ?? 0;
    await network.director.check([
      'ipvsadm',
      '-e',
      '-t',
      `${network.vip4(0)}:80`,
      '-r',
      `${rips[1]}:80`,
      '-m',
      '-w',
      '7',
    ]);
    await until('the repair is counted', async () => {
      const { samples } = await scrape();
      return samples.get('lvs_director_drift_repairs_total') === before + 1;
    });
    director.remove('web-2.yaml');
    await until('its series are gone', async () => {
      const { status, body } = await ask({ path: '/metrics' });
      return status === 200 && !body.includes(rips[1]);
    });
    assert.ok((await ask({ path: '/metrics' })).body.includes(rips[0]));
  });

  it('is not alive while its event loop stands still, nor just after', async () => {
    const { pid } = director;
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGSTOP');
    await assert.rejects(ask({ path: '/healthz', timeoutMs: 1000 }));
    await sleep(5500);
    process.kill(pid, 'SIGCONT');
    const { status, body } = await ask({ path: '/healthz' });
    assert.equal(status, 503, body);
    assert.match(body, /^\[-\]event-loop failed: the process stood still for \d+ ms$/m);
    await until('it is well again', async () => (await ask({ path: '/healthz' })).status === 200);
  });
});

describe('a director in a cluster', () => {
  const nodeName = 'n1';
  const tokens = new Map([
    ['admin', { username: 'admin', groups: [] }],
    ['prometheus', { username: 'prometheus', groups: [] }],
    ['tenant', { username: 'tenant', groups: [] }],
  ]);
  let cluster: LabCluster;
  let director: LabDirector;
  const there = (): Partial<EndpointQuestion> => ({ address: network.director.uplink.ip4 });

  before(async () => {
    cluster = await LabCluster.start(
      network.director,
      {
        tokens,
        authorize: ({ user, path }) =>
          path === undefined || (user.username === 'prometheus' && path === '/metrics'),
      },
      'admin',
    );
    await cluster.objects.createPool(clusterPool);
    await cluster.objects.createNode(nodeName, { 'networking.lvs-operator.io/director': '' });
    await cluster.objects.createService('web', network.vip4(1), [{ address: rips[0] }], { scheduler: 'rr' });
    director = LabDirector.ofCluster(network.director, { nodeName, kubeconfig: cluster.kubeconfig });
    await director.start();
  });

  after(async () => {
    await director.stop();
    await cluster.close();
  });

  const answer = async (path: string, token?: string): Promise<EndpointAnswer> =>
    ask({ ...there(), path, ...(token === undefined ? {} : { token }) }, network.client);

  it('shows metrics to who may get them, by the word of the API server', async () => {
    assert.equal((await answer('/metrics')).status, 401);
    assert.equal((await answer('/metrics', 'made-up')).status, 401);
    assert.equal((await answer('/metrics', 'tenant')).status, 403);
    assert.equal((await answer('/v1/counters', 'prometheus')).status, 403);
    const { status, body } = await answer('/metrics', 'prometheus');
    assert.equal(status, 200);
    const exposition = parseExposition(body);
    assert.deepEqual(absent(exposition, { ...directorMetrics, ...processMetrics, ...clusterMetrics }), []);
    assert.equal(exposition.samples.get('lvs_operator_watch_stale_seconds{watch="virtualServices"}'), 0);
    assert.equal(exposition.samples.get('lvs_operator_watch_objects{watch="virtualServices"}'), 1);
  });

  it('shows the certificate that its Director names', async () => {
    await until('the Director is written', async () => {
      const { status } = await cluster.objects.get(directorType, nodeName);
      const { endpoint } = readDirectorStatus({ status: status as Record<string, unknown> });
      return endpoint !== undefined && endpoint.port === 9441;
    });
    const { status } = await cluster.objects.get(directorType, nodeName);
    const { endpoint } = readDirectorStatus({ status: status as Record<string, unknown> });
    assert.equal((await answer('/healthz')).certificate, endpoint?.certificateSHA256);
  });

  it('is alive and ready without an API server, and shows metrics to nobody new', async () => {
    cluster.refuse();
    assert.equal((await answer('/metrics', 'prometheus')).status, 200, 'known for a minute');
    assert.equal((await answer('/metrics', 'stranger')).status, 503);
    assert.equal((await answer('/healthz')).status, 200);
    assert.equal((await answer('/readyz')).status, 200);
    await cluster.accept();
  });

  it('does not answer on a virtual address', async () => {
    await assert.rejects(
      ask({ path: '/healthz', address: network.vip4(1), timeoutMs: 5000 }, network.client),
    );
  });
});
