import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, chmodSync, mkdtempSync, readdirSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LabDirector } from '../lab/director-process.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { Eyes, readStatus, sleep, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';

/**
 * What belongs to others on the same host stays as it is, bit for bit, from the first pass to `cleanup`; and a program
 * that keeps changing what is ours is named instead of fought.
 */

let network: LabNetwork;
let director: LabDirector;
let eyes: Eyes;
let foreignBefore: string[];
let hostBefore: string[];

/** 50 services of every kind, some on our own VIP at another port, some with our real servers. */
function foreignTable(): string {
  const lines: string[] = [];
  const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh', 'sed', 'nq', 'fo', 'ovf', 'mh'];
  for (let i = 0; i < 50; i++) {
    const scheduler = schedulers[i % schedulers.length] ?? 'rr';
    const kind = i % 5;
    const service = [
      `-t ${network.vip4(0)}:${9000 + i}`,
      `-u 10.9.0.${i}:53`,
      `-f ${1000 + i}`,
      `-t [2001:db8:99::${i + 1}]:443`,
      `--sctp-service 10.8.0.${i}:132`,
    ][kind];
    const persistence = i % 3 === 0 && scheduler !== 'ovf' ? ` -p ${60 + i}` : '';
    lines.push(`-A ${service} -s ${scheduler}${persistence}`);
    const [rip, port] = [
      ['198.51.100.11', 80],
      ['10.7.0.9', 53],
      ['10.7.0.10', 0],
      ['[2001:db8:98::1]', 443],
      ['10.7.0.11', 132],
    ][kind] as [string, number];
    const forwarding = kind === 2 ? '-g' : kind === 4 ? '-i' : '-m';
    lines.push(`-a ${service} -r ${rip}:${kind === 2 ? 0 : port} ${forwarding} -w ${i}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Everything that is not ours: table, addresses, rules and sysctls, as other programs print them. */
async function foreignLines(): Promise<string[]> {
  const [rules4, rules6, sysctls] = await Promise.all([
    network.director.check(['iptables-legacy-save']),
    network.director.check(['ip6tables-legacy-save']),
    network.director.check([
      'sh',
      '-c',
      'cd /proc/sys/net && grep -r . ipv4/vs ipv4/conf/eth1 ipv4/tcp_* 2>/dev/null',
    ]),
  ]);
  const isOurs = (line: string): boolean => /LVS|lvs/.test(line) || line.startsWith('#');
  const rules = `${rules4}${rules6}`
    .split('\n')
    .filter((line) => !isOurs(line))
    .map((line) => line.replace(/\[\d+:\d+\]/, ''));
  const own = [`TCP ${network.vip4(0)}:80`, `TCP ${network.vip4(1)}:80`, `TCP ${network.routedVip4(0)}:80`];
  const table = eyes.tableLines().filter((line) => !own.some((key) => line.startsWith(key)));
  const addresses = eyes.addressLines().filter((line) => !line.endsWith('(76)'));
  const others = sysctls.split('\n').filter((line) => !ourSysctls.test(line));
  return [...table, ...addresses, ...rules, ...others];
}

/** Those that the director writes for the services of this test. */
const ourSysctls =
  /vs\/(expire_|conn_reuse_mode|conntrack|snat_reroute)|conf\/eth1\/(send_redirects|arp_ignore|arp_announce)/;

before(async () => {
  network = await layOutNetwork({ realServers: 0 });
  const host = network.director;
  await host.check(['ipvsadm', '-R'], { input: foreignTable() });
  await host.ip([
    'addr add 10.66.0.1/24 dev eth1',
    'addr add 192.0.2.77/32 dev lo',
    'link add dummy9 type dummy',
  ]);
  await host.check([
    'sh',
    '-c',
    'iptables-legacy -N MINE; iptables-legacy -A MINE -p tcp --dport 22 -j ACCEPT; iptables-legacy -I INPUT -j MINE; ' +
      'iptables-legacy -t mangle -A PREROUTING -p tcp --dport 4242 -j MARK --set-mark 1002; ' +
      'ip6tables-legacy -A FORWARD -s 2001:db8:77::/64 -j DROP',
  ]);
  await host.sysctl({ 'net/ipv4/vs/sync_threshold': '5\t60', 'net/ipv4/vs/expire_nodest_conn': 1 });
  eyes = new Eyes(host);
  foreignBefore = await foreignLines();
  hostBefore = await wholeHost();
  director = new LabDirector(host, {
    'pool.yaml': labPool,
    'web.yaml': file(
      virtualService('web', network.vip4(0), { drain: { timeoutSeconds: 0 } }),
      realServer('web', ['198.51.100.11', '198.51.100.12']),
    ),
    'two.yaml': file(
      virtualService('two', network.vip4(1), { drain: { timeoutSeconds: 0 } }),
      realServer('two', '198.51.100.11'),
    ),
    'routed.yaml': file(
      virtualService('routed', network.routedVip4(0)),
      realServer('routed', '198.51.100.11'),
    ),
  });
  await director.start();
});

after(async () => {
  await director.stop();
  eyes.close();
  await network.remove();
});

/** All of the host, ours included. */
async function wholeHost(): Promise<string[]> {
  const rules = await network.director.check(['sh', '-c', 'iptables-legacy-save; ip6tables-legacy-save']);
  const sysctls = await network.director.check([
    'sh',
    '-c',
    'cd /proc/sys/net && grep -r . ipv4/vs ipv4/conf ipv4/ip_forward ipv6/conf/all/forwarding 2>/dev/null',
  ]);
  const lines = rules.split('\n').filter((line) => !line.startsWith('#'));
  // Chains without rules and counters say nothing.
  return [
    ...eyes.tableLines(),
    ...eyes.addressLines(),
    ...lines.map((line) => line.replace(/\[\d+:\d+\]/, '')),
    ...sysctls
      .split('\n')
      .filter((line) => !/conf\/lvs0|sync_qlen|nat_icmp|am_droprate/.test(line))
      .toSorted(),
  ];
}

describe('what belongs to others', () => {
  it('stays bit for bit while services come, change and go', async () => {
    assert.deepEqual(await foreignLines(), foreignBefore, 'after the first pass');
    const key = `TCP ${network.vip4(0)}:80`;
    director.edit('web.yaml', '"rr"', '"mh"');
    await until('an edit', () => eyes.table().get(key)?.config.scheduler === 'mh');
    // The VIP is in use by foreign services, too: its release must not take it from them.
    director.remove('two.yaml');
    await until('a removal', () => !eyes.table().has(`TCP ${network.vip4(1)}:80`));
    await director.kill();
    await director.start();
    assert.deepEqual(await foreignLines(), foreignBefore);
    await until('status counts them', () => readStatus(director).counts.foreignServices === 50);
    const status = await director.status();
    assert.match(status.stdout, /50 services of others left alone/);
    assert.equal(status.code, 0, status.stdout);
  });
});

describe('a program that keeps changing one entry', () => {
  let fighter: ChildProcess | undefined;

  it('is named, and not fought; everything else is still repaired', async () => {
    // Its name is what a person sees in `ps`.
    const folder = mkdtempSync(join(process.env['LAB_SCRATCH'] ?? tmpdir(), 'fight-'));
    copyFileSync('/bin/sh', join(folder, 'keepalived'));
    chmodSync(join(folder, 'keepalived'), 0o755);
    const service = `${network.vip4(0)}:80`;
    fighter = network.director.spawn([
      join(folder, 'keepalived'),
      '-c',
      `while :; do ipvsadm -e -t ${service} -r 198.51.100.11:80 -m -w 1; sleep 0.5; done`,
    ]);
    const from = director.log.length;
    const tookMs = await until(
      'the condition is set',
      () =>
        readStatus(director).conditions.some(
          ({ type, status }) => type === 'ForeignHands' && status === 'True',
        ),
      20_000,
    );
    const [condition] = readStatus(director).conditions.filter(({ type }) => type === 'ForeignHands');
    console.log(`named after ${tookMs} ms: ${condition?.message}`);
    assert.match(condition?.message ?? '', /198\.51\.100\.11:80 is changed again and again.*keepalived/);
    assert.match(director.log.slice(from), /another program changes our entries/);

    const repairs = (): number => readStatus(director).counters.driftRepairs;
    const before = repairs();
    await network.director.check(['ipvsadm', '-e', '-t', service, '-r', '198.51.100.12:80', '-m', '-w', '3']);
    await until(
      'another entry is repaired',
      () => eyes.weight(`TCP ${service}`, '198.51.100.12:80') === 100,
      20_000,
    );
    await sleep(6000);
    const during = repairs() - before;
    console.log(`${during} repairs in 6 s against 12 foreign changes, one of them of the other entry`);
    assert.ok(during <= 5, `repairs back off: ${during}`);
    fighter.kill('SIGKILL');
    fighter = undefined;
  });

  it('is not fought over VIPs, sysctls and packet rules either, and when it ends all is as it should be', async () => {
    const vip = network.routedVip4(0);
    const sysctl = 'net/ipv4/vs/expire_nodest_conn';
    const state = (): string =>
      JSON.stringify([
        eyes.addressLines(),
        eyes.link.observePacketRules({ isFull: true }),
        [...eyes.link.observeSysctls([sysctl])],
      ]);
    const goal = state();
    fighter = network.director.spawn([
      'sh',
      '-c',
      `while :; do ip addr del ${vip}/32 dev lvs0; echo 1 >/proc/sys/${sysctl}; iptables-legacy -F LVS-GUARD; sleep 0.5; done`,
    ]);
    const message = (): string =>
      readStatus(director).conditions.find(({ type }) => type === 'ForeignHands')?.message ?? '';
    const names = [`VIP ${vip} on lvs0`, `sysctl ${sysctl.replaceAll('/', '.')}`, 'our packet rules'];
    const tookMs = await until(
      'all three are named',
      () => names.every((name) => message().includes(name)),
      30_000,
    );
    const before = readStatus(director).counters.driftRepairs;
    await sleep(8000);
    const during = readStatus(director).counters.driftRepairs - before;
    console.log(`named after ${tookMs} ms: ${message()}; then ${during} repairs in 8 s`);
    // One a second and entry would be 24.
    assert.ok(during <= 12, `repairs back off: ${during}`);
    fighter.kill('SIGKILL');
    fighter = undefined;
    await until('all of it is repaired', () => state() === goal);
  });

  after(() => fighter?.kill('SIGKILL'));
});

describe('cleanup', () => {
  it('says what it would do, is refused beside a director, and leaves the host as before', async () => {
    const state = ['--state-dir', director.stateDirectory];
    const beside = await director.command(['cleanup', ...state]);
    assert.equal(beside.code, 1);
    assert.match(beside.stderr, /Another lvs-operator director is running.*LVS_LEDGER_LOCKED/);
    await director.stop();
    const withUs = await wholeHost();
    const dryRun = await director.command(['cleanup', '--dry-run', ...state]);
    assert.match(dryRun.stdout, /would delete TCP .*:80 with 2 real server/);
    assert.deepEqual(await wholeHost(), withUs, 'a dry run changes nothing');
    const result = await director.command(['cleanup', ...state]);
    assert.equal(result.code, 0, `${result.stdout}${result.stderr}`);
    assert.deepEqual(await wholeHost(), hostBefore);
    assert.deepEqual(
      readdirSync(director.stateDirectory).filter((name) => name.endsWith('.json')),
      [],
    );
  });

  it('is what --on-stop withdraw does, also when told to stop before the first pass is done', async () => {
    const withdrawing = new LabDirector(
      network.director,
      {
        'web.yaml': file(labPool, virtualService('web', network.vip4(0)), realServer('web', '198.51.100.11')),
      },
      ['--on-stop', 'withdraw'],
    );
    await withdrawing.start();
    assert.ok(eyes.table().has(`TCP ${network.vip4(0)}:80`));
    assert.equal(await withdrawing.stop(), 0);
    assert.deepEqual(await wholeHost(), hostBefore);
    assert.ok(!existsSync(join(withdrawing.stateDirectory, 'ledger.json')));
    withdrawing.spawn();
    await withdrawing.waitUntil('the first entry is there', () =>
      eyes.table().has(`TCP ${network.vip4(0)}:80`),
    );
    assert.equal(await withdrawing.stop(), 0);
    assert.deepEqual(await wholeHost(), hostBefore);
  });
});
