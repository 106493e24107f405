import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LabDirector, productFile } from '../lab/director-process.ts';
import { runInLab } from '../lab/host.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { Eyes, conditionOf, configFlags, hasStatus, readStatus, sleep, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';

/**
 * Hosts that lack something: it is said in one line with what to do, without a stack, and what can be served is.
 */

let network: LabNetwork;
let eyes: Eyes;

before(async () => {
  network = await layOutNetwork({ realServers: 0 });
  eyes = new Eyes(network.director);
});

after(async () => {
  eyes.close();
  await network.remove();
});

const web = (): string => file(virtualService('web', network.vip4(0)), realServer('web', '198.51.100.11'));
const key = (): string => `TCP ${network.vip4(0)}:80`;

function assertOneLine(text: string, pattern: RegExp): void {
  assert.match(text, pattern);
  assert.doesNotMatch(text, /^\s+at /m, 'no stack');
  assert.equal(text.trim().split('\n').length, 1, `one line: ${text}`);
}

/** Runs a director that is not expected to stay. */
async function startAndFail(prefix: readonly string[], flags: readonly string[] = []) {
  const director = new LabDirector(network.director, { 'pool.yaml': labPool, 'web.yaml': web() });
  return network.director.run([
    ...prefix,
    process.execPath,
    productFile,
    'director',
    '--manifests',
    director.manifests,
    '--state-dir',
    director.stateDirectory,
    '--log-level',
    'error',
    ...flags,
  ]);
}

describe('a director that may not', () => {
  for (const command of ['director', 'plan', 'cleanup']) {
    it(`administer the network says so (${command})`, async () => {
      const director = new LabDirector(network.director, { 'pool.yaml': labPool, 'web.yaml': web() });
      const manifests = command === 'cleanup' ? [] : ['--manifests', director.manifests];
      const result = await network.director.run([
        'setpriv',
        '--bounding-set=-all',
        '--inh-caps=-all',
        process.execPath,
        productFile,
        command,
        ...manifests,
        '--state-dir',
        join(director.stateDirectory, 'x'),
      ]);
      assert.equal(result.code, 1, result.stderr);
      const error = result.stderr.split('\n').filter((line) => !line.startsWith('{'));
      assertOneLine(error.join('\n'), /CAP_NET_ADMIN.*\[LVS_KERNEL_PERMISSION\]/);
    });
  }

  it('write its state directory says so', async () => {
    const result = await startAndFail([], ['--state-dir', '/proc/lvs']);
    assert.equal(result.code, 1);
    assertOneLine(result.stderr, /state directory \/proc\/lvs cannot be written.*--state-dir/);
  });
});

describe('a host that lacks', () => {
  it('a scheduler module serves everything else, and takes the module when it comes', async () => {
    const folder = '/run/modules/lib/modules';
    const director = new LabDirector(
      network.director,
      {
        'pool.yaml': labPool,
        'web.yaml': web(),
        'ovf.yaml': file(
          virtualService('ovf', network.vip4(1), { scheduler: 'ovf' }),
          realServer('ovf', '198.51.100.11'),
        ),
      },
      configFlags({ fullCheckSeconds: 2 }),
    );
    await runInLab(['modprobe', 'ip_vs_rr']);
    // No other module can be loaded while modprobe finds none.
    renameSync(folder, `${folder}.away`);
    try {
      await director.start();
      assert.ok(eyes.table().has(key()), 'the other is served');
      assert.ok(!eyes.table().has(`TCP ${network.vip4(1)}:80`));
      await until('there is a status', () => hasStatus(director));
      await until('status says it', () =>
        readStatus(director).problems.some(({ reason }) => /Scheduler/.test(reason)),
      );
      const { stdout, code } = await director.status();
      assert.equal(code, 1);
      assert.match(stdout, /ovf\.yaml:\d+:\d+: .*ovf/);
      console.log(stdout.split('\n').find((line) => line.includes('ovf.yaml')));
    } finally {
      renameSync(`${folder}.away`, folder);
    }
    try {
      await until('the module is asked for again', () => eyes.table().has(`TCP ${network.vip4(1)}:80`));
    } finally {
      await director.stop();
    }
    await director.command(['cleanup', '--state-dir', director.stateDirectory]);
  });

  it('a writable /proc/sys serves all the same, and names the values', async () => {
    const root = mkdtempSync(join(process.env['LAB_SCRATCH'] ?? tmpdir(), 'sys-'));
    mkdirSync(join(root, 'sys'));
    await runInLab(['mount', '--bind', '/proc/sys', join(root, 'sys')]);
    await runInLab(['mount', '-o', 'remount,ro,bind', join(root, 'sys')]);
    const director = new LabDirector(
      network.director,
      { 'pool.yaml': labPool, 'web.yaml': web() },
      configFlags({ sysctlRoot: join(root, 'sys') }),
    );
    await network.director.sysctl({ 'net/ipv4/vs/expire_nodest_conn': 1 });
    try {
      await director.start();
      assert.ok(eyes.table().has(key()), 'it serves');
      await until('status says it', () => conditionOf(director, 'SysctlsApplied').startsWith('False'));
      const condition = readStatus(director).conditions.find(({ type }) => type === 'SysctlsApplied');
      console.log(condition?.message);
      assert.match(
        condition?.message ?? '',
        /could not be set: net\.ipv4\.vs\.expire_nodest_conn = 0 \(is 1\)/,
      );
      assert.match((await director.status()).stdout, /net\.ipv4\.vs\.\w+/);
      assert.doesNotMatch(director.log, /^\s+at /m);
    } finally {
      await director.stop();
      await director.command(['cleanup', '--state-dir', director.stateDirectory]);
      await runInLab(['umount', join(root, 'sys')]);
    }
  });

  it('iptables serves what needs no packet rules, and names the package', async () => {
    const director = new LabDirector(network.director, { 'pool.yaml': labPool, 'web.yaml': web() });
    await runInLab(['mount', '-t', 'tmpfs', 'none', '/usr/sbin']);
    try {
      await director.start();
      assert.ok(eyes.table().has(key()), 'it serves');
      await until('status says it', () => conditionOf(director, 'PacketRulesApplied').startsWith('False'));
      const condition = readStatus(director).conditions.find(({ type }) => type === 'PacketRulesApplied');
      console.log(condition?.message);
      assert.match(condition?.message ?? '', /iptables/);
      await sleep(3000);
      assert.doesNotMatch(director.log, /^\s+at /m);
      assert.equal(director.log.match(/change refused/g)?.length, 1, `told once: ${director.log}`);
    } finally {
      await runInLab(['umount', '/usr/sbin']);
      await director.stop();
    }
  });
});
