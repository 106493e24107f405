import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LvsError, formatErrorForPeople } from '../../src/base/index.ts';
import { IpvsClient } from '../../src/ipvs/index.ts';
import { loadLibc } from '../../src/netlink/index.ts';
import {
  additions,
  entry,
  realServer,
  realServerConfig,
  service,
  settingsOf,
  wantedSettings,
} from '../contract/ipvs-entries.ts';

const libc = loadLibc();
const modprobe = '/proc/sys/kernel/modprobe';

function loadedIpvsModules(): string[] {
  const names = readFileSync('/proc/modules', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  return names.filter((name) => name.startsWith('ip_vs') || name === 'xt_ipvs');
}

/** Schedulers first: they hold ip_vs. Namespaces of earlier tests let go of it a little late. */
async function unloadIpvs(): Promise<void> {
  for (let attempt = 0; attempt < 50 && loadedIpvsModules().length > 0; attempt++) {
    spawnSync('rmmod', loadedIpvsModules());
    if (loadedIpvsModules().length > 0) await sleep(100);
  }
  assert.deepEqual(loadedIpvsModules(), [], 'somebody in this lab still uses IPVS');
}

function expectOneLine(error: unknown, code: LvsError['code'], text: RegExp): void {
  assert.ok(error instanceof LvsError);
  assert.equal(error.code, code);
  const line = formatErrorForPeople(error);
  assert.match(line, text);
  assert.doesNotMatch(line, /\n|undefined| at /);
}

describe('a kernel that does not let us', () => {
  it('without the module: one line says so, and once it can be loaded it is', async (context) => {
    const program = readFileSync(modprobe, 'utf8');
    context.after(() => writeFileSync(modprobe, program));
    writeFileSync(modprobe, '/bin/false');
    await unloadIpvs();
    assert.throws(
      () => IpvsClient.open({ libc }),
      (error) => {
        expectOneLine(error, 'LVS_IPVS_UNAVAILABLE', /no IPVS: .* Run "modprobe ip_vs"/);
        return true;
      },
    );
    assert.deepEqual(loadedIpvsModules(), []);
    writeFileSync(modprobe, program);
    const client = IpvsClient.open({ libc });
    assert.equal(client.getInfo().version, '1.2.1');
    writeFileSync(modprobe, '/bin/false');
    assert.equal(client.isSchedulerAvailable('mh'), false, 'no modprobe, no scheduler');
    writeFileSync(modprobe, program);
    assert.equal(client.isSchedulerAvailable('mh'), true, 'a miss is not remembered');
    client.close();
  });

  it('a module that was loaded anew is found again by every kind of request', async () => {
    const clients = Array.from({ length: 3 }, () => IpvsClient.open({ libc }));
    await unloadIpvs();
    assert.equal(spawnSync('modprobe', ['ip_vs']).status, 0);
    const [observer, writer, asker] = clients;
    assert.equal(observer?.observeTable().size, 0);
    const wanted = entry(service('TCP', '192.0.2.10', 80), {}, [
      { key: realServer('10.0.0.1', 80), config: realServerConfig() },
    ]);
    assert.deepEqual(writer?.apply(additions([wanted])), ['done', 'done']);
    assert.equal(asker?.getTimeouts().tcpFin, 120);
    assert.deepEqual(settingsOf(asker.observeTable()), wantedSettings([wanted]));
    assert.deepEqual(observer.apply([{ type: 'deleteVirtualService', service: wanted.key }]), ['done']);
    for (const client of clients) client.close();
  });

  it('without CAP_NET_ADMIN: one line says so, at once', () => {
    const child = spawnSync(
      'setpriv',
      [
        '--bounding-set=-net_admin',
        process.execPath,
        fileURLToPath(new URL('../../test/kernel/open-ipvs.ts', import.meta.url)),
      ],
      { encoding: 'utf8' },
    );
    assert.equal(child.stderr, '');
    assert.match(
      child.stdout,
      /^LVS_KERNEL_PERMISSION The kernel refused IPVS_CMD_GET_INFO: EPERM\. Run as root or with CAP_NET_ADMIN[^\n]*\n$/,
    );
  });
});
