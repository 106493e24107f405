import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Entry } from '../image/enter-image.ts';
import { imageEnvironment, imagePaths, nonRootUid } from '../../tools/image-layout.ts';
import { runInLab } from '../lab/host.ts';
import type { RunResult } from '../lab/host.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';
import { sendRequests, startServer } from '../lab/traffic.ts';
import { sleep, until } from './director-eyes.ts';
import { file, labPool, realServer, virtualService } from './director-objects.ts';

/**
 * The root of the image, as a container run time shows it to a process: read-only but for what a pod mounts, another root
 * folder, no capability but those of the chart, and no way to gain one.
 */

/** linux/capability.h */
const CAP_NET_ADMIN = 12;
const CAP_NET_RAW = 13;
const directorCapabilities = [CAP_NET_ADMIN, CAP_NET_RAW];

const root = '/tmp/image';
const settings = '/etc/lvs-operator';

let network: LabNetwork;

async function mount(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runInLab(['mount', ...args]);
  assert.equal(code, 0, `mount ${args.join(' ')}: ${stderr}`);
}

before(async () => {
  network = await layOutNetwork({ realServers: 1 });
  await startServer(network.realServers[0] ?? assert.fail(), { http: [80] });
  // A container loads no modules, and iptables asks the kernel in vain before these are there (docs/install.md).
  await runInLab(['modprobe', '--all', 'ip_tables', 'ip6_tables']);
  mkdirSync(root);
  await mount('--bind', 'build/image', root);
  await mount('-o', 'remount,bind,ro', root);
  for (const folder of imagePaths.writable) await mount('-t', 'tmpfs', 'tmpfs', `${root}${folder}`);
  await mount('-t', 'proc', 'proc', `${root}/proc`);
  await mount('--bind', '/proc/sys/net', `${root}/host/proc/sys/net`);
  await mount('--bind', `${root}/proc/sys`, `${root}/proc/sys`);
  await mount('-o', 'remount,bind,ro', `${root}/proc/sys`);
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  mkdirSync(join(folder, 'manifests'));
  writeFileSync(
    join(folder, 'director.yaml'),
    'apiVersion: networking.lvs-operator.io/v1alpha1\nkind: DirectorConfiguration\nsysctlRoot: /host/proc/sys\n',
  );
  writeFileSync(
    join(folder, 'manifests/web.yaml'),
    file(
      labPool,
      virtualService('web', network.vip4(0), { forwarding: { method: 'NAT', sourceNAT: true } }),
      realServer('web', '198.51.100.11'),
    ),
  );
  await mount('--bind', folder, `${root}${settings}`);
});

after(() => network.remove());

function commandOf(uid: number, capabilities: readonly number[], argv: readonly string[]): string[] {
  const entry: Entry = { root, uid, capabilities, argv, env: imageEnvironment };
  return [process.execPath, 'test/image/enter-image.ts', JSON.stringify(entry)];
}

const asController = (...argv: readonly string[]): Promise<RunResult> =>
  network.director.run(commandOf(nonRootUid, [], argv));
const asDirector = (...argv: readonly string[]): Promise<RunResult> =>
  network.director.run(commandOf(0, directorCapabilities, argv));

const product = [imagePaths.node, imagePaths.product] as const;

describe('a process in the image', () => {
  const look = `
    const fs = require('node:fs');
    const status = fs.readFileSync('/proc/self/status', 'utf8');
    const of = (name) => status.match(new RegExp('^' + name + ':\\\\s+(\\\\w+)', 'm'))[1];
    const tried = ['/x', '/usr/lib/x', '/proc/sys/net/ipv4/ip_forward'].map((file) => {
      try { fs.writeFileSync(file, '1'); return 'written'; } catch (error) { return error.code; }
    });
    console.log(of('CapEff'), of('CapBnd'), of('NoNewPrivs'), ...tried);`;

  it('has the capabilities of a director and no others, and writes nowhere but where it may', async () => {
    const { stdout } = await asDirector(imagePaths.node, '-e', look);
    assert.equal(stdout.trim(), '0000000000003000 0000000000003000 1 EROFS EROFS EROFS');
  });

  it('has no capability at all as a controller', async () => {
    const { stdout } = await asController(imagePaths.node, '-e', look);
    assert.match(stdout, /^0{16} 0{16} 1 (?:EROFS|EACCES) (?:EROFS|EACCES) (?:EROFS|EACCES)$/m);
  });

  it('finds no shell', async () => {
    const { stdout } = await asDirector(
      imagePaths.node,
      '-e',
      "console.log(require('node:child_process').spawnSync('/bin/sh', ['-c', 'true']).error.code)",
    );
    assert.equal(stdout.trim(), 'ENOENT');
  });
});

describe('a controller from the image', () => {
  it('tells its flags, from compiled code', async () => {
    const { code, stdout, stderr } = await asController(...product, 'controller', '--help');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Usage: lvs-operator controller/);
  });
});

describe('a director from the image', () => {
  const state = ['--state-dir', '/var/lib/lvs-operator'] as const;
  let child: ChildProcess;
  let log = '';

  before(() => {
    child = network.director.spawn(
      commandOf(0, directorCapabilities, [
        ...product,
        'director',
        '--manifests',
        `${settings}/manifests`,
        '--config',
        `${settings}/director.yaml`,
        ...state,
        '--log-format',
        'text',
      ]),
    );
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (log += text));
  });

  async function ask(path: string): Promise<RunResult> {
    return network.director.run([
      process.execPath,
      '-e',
      `fetch('http://127.0.0.1:9441${path}').then(async (r) => console.log(r.status, await r.text()))`,
    ]);
  }

  it('serves: table, address, packet rules and kernel settings', async () => {
    await until('it serves', () => /director serves/.test(log)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${log}`);
    });
    const { byServer, failed } = await sendRequests(network.client, {
      host: network.vip4(0),
      port: 80,
      count: 20,
    });
    assert.deepEqual([byServer, failed], [{ server1: 20 }, 0], log);
    assert.match(await packetRules(), /^:LVS-/m);
    assert.equal(readSysctl(await network.director.check(['sysctl', 'net.ipv4.vs.conntrack'])), '1');
    assert.doesNotMatch(log, /READ_ONLY|UNAVAILABLE/);
  });

  it('says that it is alive and ready', async () => {
    for (const path of ['/healthz', '/readyz'])
      await until(`${path} says so`, async () => (await ask(path)).stdout.startsWith('200 '));
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    console.log(
      'resident:',
      /^VmRSS:\s+(.+)$/m.exec(status)?.[1],
      '· threads:',
      /^Threads:\s+(.+)$/m.exec(status)?.[1],
    );
  });

  it('answers status by the name that people type', async () => {
    const { code, stdout, stderr } = await asDirector('/usr/bin/lvs-operator', 'status', ...state);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /web/);
  });

  it('prints more when it is told so by who is root there, and by nobody else', async () => {
    const told = ['/usr/bin/lvs-operator', 'log-level', 'debug', '--for', '600'] as const;
    const refused = await asController(...told);
    assert.equal(refused.code, 1, refused.stdout);
    assert.doesNotMatch(log, /log level changed/);
    const { code, stdout, stderr } = await asDirector(...told);
    assert.deepEqual([code, stdout], [0, 'debug for 600 s, then info\n'], stderr);
    await until('it prints so', () => /log level changed {2}from=info to=debug/.test(log));
  });

  it('is stopped and cleaned up after, from the image alone', async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
    assert.equal(child.exitCode, 0, log);
    const { code, stderr } = await asDirector(
      ...product,
      'cleanup',
      '--config',
      `${settings}/director.yaml`,
      ...state,
    );
    assert.equal(code, 0, stderr);
    await sleep(100);
    assert.equal(await network.director.check(['ipvsadm', '-Sn']), '');
    assert.doesNotMatch(await packetRules(), /LVS-/);
  });
});

/** In either notation: which one a director takes depends on the kernel. */
async function packetRules(): Promise<string> {
  const nft = await network.director.check(['iptables-nft-save']);
  return nft + (await network.director.check(['iptables-legacy-save']));
}

function readSysctl(text: string): string {
  return text.split('=')[1]?.trim() ?? '';
}
