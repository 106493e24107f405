import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatErrorForPeople, isLvsError } from '../../src/base/index.ts';
import { orderSteps } from '../../src/ipvs/bulk-load.ts';
import { IpvsClient, formatVirtualServiceKey, schedulers } from '../../src/ipvs/index.ts';
import {
  additions,
  entry,
  realServer,
  realServerConfig,
  service,
  settingsOf,
  wantedSettings,
} from '../contract/ipvs-entries.ts';
import { FakeKernel } from '../fakes/fake-kernel.ts';
import type { FakeKernelOptions } from '../fakes/fake-kernel.ts';

const web = service('TCP', '192.0.2.10', 80);
const servers = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    key: realServer(`10.0.${i >> 8}.${i & 255}`, 80),
    config: realServerConfig(),
  }));

function open(options: FakeKernelOptions = {}) {
  const kernel = new FakeKernel(options);
  return { kernel, client: IpvsClient.open({ libc: kernel.libc }) };
}

describe('a kernel that does not let us', () => {
  const table: [scenario: string, options: FakeKernelOptions, code: string, text: RegExp][] = [
    ['has no module', { hasModule: false }, 'LVS_IPVS_UNAVAILABLE', /no IPVS.*modprobe ip_vs/],
    [
      'gives no permission',
      { isPrivileged: false },
      'LVS_KERNEL_PERMISSION',
      /IPVS_CMD_GET_INFO: EPERM.*CAP_NET_ADMIN/,
    ],
  ];
  for (const [scenario, options, code, text] of table) {
    it(`${scenario}: one line says what to do, and no socket stays open`, () => {
      const kernel = new FakeKernel(options);
      assert.throws(
        () => IpvsClient.open({ libc: kernel.libc }),
        (error) => isLvsError(error) && error.code === code && text.test(formatErrorForPeople(error)),
      );
      assert.equal(kernel.openSockets, 0);
    });
  }

  it('has no loopback up: the refusal of every real server says so', () => {
    const { kernel, client } = open();
    kernel.ipvs.isLoopbackUp = false;
    const outcomes = client.apply(additions([entry(web, {}, servers(1))]));
    assert.ok(isLvsError(outcomes[1], 'LVS_KERNEL_REFUSED'));
    assert.match(outcomes[1].hint ?? '', /loopback interface .* must be up/);
  });

  it('has IPv6 switched off: services say so, and schedulers are still found', () => {
    const { client } = open({ hasIpv6: false, schedulers: ['rr'] });
    const [outcome] = client.apply(additions([entry(service('TCP', '2001:db8::1', 80))]));
    assert.ok(isLvsError(outcome, 'LVS_KERNEL_REFUSED'));
    assert.match(outcome.message, /IPv6 switched off .*EAFNOSUPPORT/);
    assert.equal(client.isSchedulerAvailable('rr'), true);
    assert.equal(client.isSchedulerAvailable('mh'), false);
    assert.equal(client.observeTable().size, 0);
  });
});

describe('schedulers', () => {
  it('are looked for once, misses once per apply, and never inside a batch', () => {
    const { kernel, client } = open({ schedulers: ['rr'] });
    const entries = Array.from({ length: 20 }, (_, i) =>
      entry(service('TCP', '192.0.2.10', i + 1), { scheduler: i === 7 ? 'rr' : 'mh' }),
    );
    const outcomes = client.apply(additions(entries));
    assert.equal(outcomes.filter((outcome) => isLvsError(outcome, 'LVS_SCHEDULER_UNAVAILABLE')).length, 19);
    assert.equal(outcomes[7], 'done');
    assert.deepEqual(kernel.ipvs.missedSchedulers, ['mh']);
    assert.deepEqual(
      schedulers.filter((name) => client.isSchedulerAvailable(name)),
      ['rr'],
    );
  });
});

describe('answers that are lost', () => {
  it('the queue overruns: every operation is still brought to its end', () => {
    const { client } = open({ queueBytes: 4 * 832 });
    const wanted = [entry(web, {}, servers(100))];
    client.apply(additions(wanted), { batchSize: 1 });
    // All exist: each addition is refused, and most refusals are lost.
    const heavier = [
      entry(
        web,
        { scheduler: 'wlc' },
        servers(100).map(({ key }) => ({ key, config: realServerConfig({ weight: 7 }) })),
      ),
    ];
    assert.deepEqual(new Set(client.apply(additions(heavier))), new Set(['done']));
  });

  it('a sync daemon that never ran ends without an answer, and counts as stopped', () => {
    const { kernel, client } = open();
    kernel.ipvs.areDaemonThreadsLate = true;
    client.startSyncDaemon({ state: 'master', interface: 'eth0', syncId: 1 });
    client.stopSyncDaemon('master');
    assert.deepEqual(client.listSyncDaemons(), []);
  });
});

describe('a module that was loaded anew', () => {
  it('is found again by requests, dumps and batches alike', () => {
    const { kernel, client } = open();
    client.apply(additions([entry(web)]));
    kernel.reloadModule();
    assert.equal(client.observeTable().size, 0);
    kernel.reloadModule();
    assert.equal(client.getTimeouts().udp, 300);
    kernel.reloadModule();
    const wanted = [entry(web, {}, servers(80))];
    assert.deepEqual(new Set(client.apply(additions(wanted))), new Set(['done']));
    assert.deepEqual(settingsOf(client.observeTable()), wantedSettings(wanted));
  });

  it('a missing real server is believed to be missing only after a look for another family id', () => {
    const { kernel, client } = open();
    client.apply(additions([entry(web)]));
    const before = kernel.sent.length;
    const gone = { type: 'deleteRealServer', service: web, realServer: realServer('10.0.0.1', 80) } as const;
    assert.deepEqual(client.apply([gone]), ['done']);
    assert.equal(kernel.sent.length - before, 2);
  });
});

describe('a table that others change between two datagrams', () => {
  const add = (client: IpvsClient, rip: string) =>
    client.apply([
      { type: 'addRealServer', service: web, realServer: realServer(rip, 80), config: realServerConfig() },
    ]);

  it('once: what is returned is whole', () => {
    for (const change of ['add', 'delete', 'delete the service'] as const) {
      const { kernel, client } = open();
      const other = IpvsClient.open({ libc: kernel.libc });
      client.apply(additions([entry(web, {}, servers(300))]));
      kernel.beforeNextChunk = (command) => {
        if (command !== 8) return;
        kernel.beforeNextChunk = undefined;
        if (change === 'add') add(other, '10.9.9.9');
        else if (change === 'delete')
          other.apply([{ type: 'deleteRealServer', service: web, realServer: realServer('10.0.1.43', 80) }]);
        else other.apply([{ type: 'deleteVirtualService', service: web }]);
      };
      const observed = client.observeTable();
      const count = observed.get(formatVirtualServiceKey(web))?.realServers.size;
      assert.equal(count, { add: 301, delete: 299, 'delete the service': undefined }[change], change);
    }
  });

  it('for ever: the look is given up and names the reason', () => {
    const { kernel, client } = open();
    const other = IpvsClient.open({ libc: kernel.libc });
    client.apply(additions([entry(web, {}, servers(300))]));
    let n = 0;
    let sentBefore = 0;
    // Once in each dump: at every datagram the kernel itself would never come to an end.
    kernel.beforeNextChunk = (command) => {
      if (command !== 8 || kernel.sent.length === sentBefore) return;
      add(other, `10.9.0.${n++}`);
      sentBefore = kernel.sent.length;
    };
    assert.throws(
      () => client.observeTable(),
      (error) =>
        isLvsError(error, 'LVS_NETLINK_INTERRUPTED') &&
        /real servers of TCP 192\.0\.2\.10:80/.test(error.message),
    );
    kernel.beforeNextChunk = undefined;
    assert.ok(client.observeRealServers(web).size > 300);
  });

  it('services that come and go meanwhile: the list is read again', () => {
    const { kernel, client } = open();
    const other = IpvsClient.open({ libc: kernel.libc });
    client.apply(additions([entry(web, {}, servers(1))]));
    let left = 3;
    kernel.beforeNextChunk = (command) => {
      if (command !== 8 || left-- <= 0) return;
      other.apply(additions([entry(service('TCP', '192.0.2.11', left + 1), {}, servers(2))]));
    };
    const observed = client.observeTable();
    assert.equal(observed.size, 4);
    for (const [name, { realServers }] of observed)
      assert.equal(realServers.size, name === formatVirtualServiceKey(web) ? 1 : 2);
  });
});

describe('the order of a bulk load', () => {
  const typesOf = (scheduler: string, count: number) =>
    orderSteps(additions([entry(web, { scheduler }, servers(count))])).map(({ operation, isPreparation }) =>
      'config' in operation && 'scheduler' in operation.config
        ? `${operation.type} ${operation.config.scheduler}${isPreparation ? ' first' : ''}`
        : operation.type,
    );

  it('a table scheduler comes after its servers, when there are enough of them', () => {
    const four = Array.from({ length: 4 }, () => 'addRealServer');
    assert.deepEqual(typesOf('mh', 4), ['addVirtualService none first', ...four, 'editVirtualService mh']);
    assert.deepEqual(typesOf('sh', 4), ['addVirtualService none first', ...four, 'editVirtualService sh']);
    assert.deepEqual(typesOf('mh', 3), ['addVirtualService mh', ...four.slice(1)]);
    assert.deepEqual(typesOf('rr', 4), ['addVirtualService rr', ...four]);
  });

  it('keeps to the caller where the service is touched twice', () => {
    const operations = [
      ...additions([entry(web, { scheduler: 'mh' }, servers(9))]),
      { type: 'deleteVirtualService', service: web } as const,
    ];
    assert.deepEqual(
      orderSteps(operations).map(({ operation }) => operation),
      operations,
    );
  });
});

describe('NETLINK_DEBUG', () => {
  it('prints the names of the kernel', () => {
    const lines: string[] = [];
    const client = IpvsClient.open({ libc: new FakeKernel().libc, debug: (line) => lines.push(line) });
    client.apply(additions([entry(web, {}, servers(1))]));
    client.observeTable();
    for (const wanted of [
      /^> CTRL_CMD_GETFAMILY .*FAMILY_NAME=IPVS/,
      /^> IPVS_CMD_NEW_DEST .*SERVICE=\{AF=2 .*DEST=\{ADDR=10\.0\.0\.0 PORT=80 /,
      /^< IPVS_CMD_NEW_SERVICE .*SCHED_NAME=rr /,
    ])
      assert.ok(
        lines.some((line) => wanted.test(line)),
        String(wanted),
      );
  });
});
