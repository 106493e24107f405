import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { runInLab } from '../lab/host.ts';
import { layOutNetwork } from '../lab/network.ts';
import type { LabNetwork } from '../lab/network.ts';

const repository = path.resolve(import.meta.dirname, '../..');
const port = 8080;

/** One TCP connection that must be answered with one line. */
const listen = `
  const net = require('node:net');
  const server = net.createServer((socket) => socket.end('from ' + process.argv[1] + ' to ' + socket.remoteAddress));
  server.listen(${port}, '::', () => console.log('ready'));`;
const connect = `
  const socket = require('node:net').connect(${port}, process.argv[1]);
  socket.setTimeout(5000, () => socket.destroy(new Error('no answer')));
  socket.pipe(process.stdout);`;

suite('the lab kernel', () => {
  test('is User-Mode Linux, with us as root', () => {
    assert.match(readFileSync('/proc/cpuinfo', 'utf8'), /User Mode Linux/);
    assert.match(readFileSync('/proc/version', 'utf8'), /^Linux version [6-9]\./);
    assert.equal(process.getuid?.(), 0);
    assert.equal(process.env['LAB'], '1');
  });

  test('only memory and the scratch folder can be written', () => {
    const scratch = process.env['LAB_SCRATCH'];
    assert.ok(scratch);
    writeFileSync(path.join(scratch, 'note'), 'seen by the host');
    writeFileSync('/tmp/note', 'gone with the lab');
    writeFileSync('/run/note', 'gone with the lab');
    for (const folder of ['/etc', '/usr', '/var/lib', repository, path.join(repository, 'build')]) {
      assert.throws(() => writeFileSync(path.join(folder, 'lab-was-here'), ''), { code: 'EROFS' }, folder);
    }
  });

  test('our bundle and the tools of the oracle are at hand', async () => {
    assert.ok(existsSync(path.join(repository, 'dist/lvs-operator.mjs')));
    for (const tool of ['ipvsadm', 'iptables-legacy', 'nft', 'keepalived', 'tcpdump', 'ping']) {
      const { code } = await runInLab(['sh', '-c', `command -v ${tool}`]);
      assert.equal(code, 0, tool);
    }
  });

  test('IPVS and its schedulers load themselves', async () => {
    const setUp = ['-A -t 192.0.2.9:80 -s mh', '-A -f 7 -s wrr', '-A -t [2001:db8::9]:80 -s lblcr'];
    for (const line of setUp) {
      const result = await runInLab(['ipvsadm', ...line.split(' ')]);
      assert.equal(result.code, 0, result.stderr);
    }
    const table = readFileSync('/proc/net/ip_vs', 'utf8');
    assert.match(table, /^IP Virtual Server version 1\.2\.1 /);
    assert.match(table, /TCP {2}C0000209:0050 mh/);
    assert.match(table, /FWM {2}00000007 wrr/);
    assert.match(table, /lblcr/);
    await runInLab(['ipvsadm', '-C']);
  });

  test('a program that is missing is an error, one that fails is a result', async () => {
    await assert.rejects(runInLab(['no-such-program']), { code: 'ENOENT' });
    assert.deepEqual(await runInLab(['sh', '-c', 'echo out; echo err >&2; cat; exit 3'], { input: 'in' }), {
      code: 3,
      stdout: 'out\nin',
      stderr: 'err\n',
    });
    const killed = await runInLab(['sleep', '30'], { timeoutMs: 200 });
    assert.equal(killed.code, null);
  });
});

suite('a network of hosts', () => {
  let network: LabNetwork;
  before(async () => {
    network = await layOutNetwork({ realServers: 2 });
  });
  after(() => network.remove());

  test('the client reaches the director and every real server, and back, at once and over both families', async () => {
    const { client, director, realServers } = network;
    const ping = ['ping', '-c', '1', '-W', '2'];
    for (const ip of [director.uplink.ip4, director.uplink.ip6]) await client.check([...ping, ip]);
    for (const server of realServers) {
      for (const ip of [server.rip4, server.rip6]) await client.check([...ping, ip]);
      for (const ip of [client.ip4, client.ip6]) await server.check([...ping, ip]);
    }
  });

  test('TCP from client to real server keeps the client’s address', async () => {
    const { client } = network;
    const [server] = network.realServers;
    assert.ok(server);
    const listener = server.spawn([process.execPath, '-e', listen, server.name]);
    await new Promise((resolve) => listener.stdout?.once('data', resolve));
    for (const [rip, cip] of [
      [server.rip4, `::ffff:${client.ip4}`],
      [server.rip6, client.ip6],
    ]) {
      const answer = await client.check([process.execPath, '-e', connect, rip ?? '']);
      assert.equal(answer, `from server1 to ${cip}`);
    }
    listener.kill('SIGKILL');
  });

  test('a VIP on a real server’s loopback is silent on the wire after prepareForDirectReturn', async () => {
    const [server] = network.realServers;
    assert.ok(server);
    await server.prepareForDirectReturn([network.vip4(9)]);
    const { code } = await network.client.run(['ping', '-c', '1', '-W', '1', network.vip4(9)]);
    assert.equal(code, 1);
    await network.client.ip([`route add ${network.vip4(8)}/32 via 192.0.2.1`]);
  });

  test('each host has tables of its own', async () => {
    await network.director.check(['ipvsadm', '-A', '-t', '192.0.2.150:80', '-s', 'rr']);
    assert.match(await network.director.check(['cat', '/proc/net/ip_vs']), /C0000296:0050 rr/);
    assert.doesNotMatch(await network.client.check(['cat', '/proc/net/ip_vs']), /C0000296/);
  });

  test('a second network with the same addresses does not disturb the first, and leaves nothing behind', async () => {
    const second = await layOutNetwork({ realServers: 1 });
    await second.client.check(['ping', '-c', '1', '-W', '2', '198.51.100.11']);
    const sleeper = second.director.spawn(['sh', '-c', 'echo ready; exec sleep 60']);
    await new Promise((resolve) => sleeper.stdout?.once('data', resolve));
    const ended = new Promise((resolve) => sleeper.once('close', (_code, signal) => resolve(signal)));
    await second.remove();
    assert.equal(await ended, 'SIGKILL');
    assert.equal(existsSync(second.director.netnsPath), false);
    await network.client.check(['ping', '-c', '1', '-W', '2', '198.51.100.11']);
  });
});
