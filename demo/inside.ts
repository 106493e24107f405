/** The story, told inside the lab kernel: what is balanced, what is edited under traffic, what is left afterwards. */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { LabDirector } from '../test/lab/director-process.ts';
import { openLabShell } from '../test/lab/shell.ts';
import { startServers } from '../test/lab/traffic.ts';
import { tellOfBalancing } from './balancing.ts';
import { tellOfEdits } from './edits.ts';
import { layOutExampleNetwork } from './example-network.ts';
import { tellOfFollowingLoad } from './following-load.ts';
import { chapter, check, countMismatches, say, showCommand } from './screen.ts';

const examples = ['address-pool.yaml', 'nat.yaml', 'direct-route.yaml', 'tunnel.yaml'];

chapter('A network');
say(`  Linux ${release()} with IPVS. Hosts are network namespaces, joined by veth pairs and bridges:`);
say(`
        client
          │               192.0.2.0/24 · 2001:db8:c::/64
     ─────┴─────┬────────────────────────────────────┐
             director   VIPs 192.0.2.10 to .13,      │ answers of DR and TUN
                │       2001:db8:0:2::10 to ::12     │ go straight to the client
     ───────────┼──────────┬──────────┐              │
             server1    server2    server3 ──────────┘
                          198.51.100.0/24 · 2001:db8:51::/64 · 203.0.113.0/24 behind tunnels
`);
const network = await layOutExampleNetwork();
await startServers(network.realServers, { http: [80, 8080] });
say(`  ${network.hosts.length} hosts are up; the real servers answer with their names on ports 80 and 8080.`);

chapter('The director starts on examples/');
say(`  lvs-operator director --manifests … with ${examples.join(', ')}`);
const director = new LabDirector(
  network.director,
  Object.fromEntries(examples.map((name) => [name, readFileSync(`examples/${name}`, 'utf8')])),
);
const startedAt = performance.now();
await director.start();
say(
  `  first pass done after ${((performance.now() - startedAt) / 1000).toFixed(1)} s, kernel modules loaded on the way`,
);
showCommand('ipvsadm -Ln', await network.director.check(['ipvsadm', '-Ln']));

await tellOfBalancing(network);
await tellOfEdits(network, director);

chapter('What the director says of itself');
await director.waitUntil('the status is up to date', async () => (await director.status()).code === 0);
showCommand('lvs-operator status', (await director.status()).stdout);
if (process.argv.includes('--shell')) {
  say('\nThe director goes on working while you look around:');
  openLabShell(network.hosts.map((host) => host.namespace));
}

chapter('Stop and clean up');
check('SIGTERM ends the director with status 0', (await director.stop()) === 0);
check('the kernel goes on serving: the table is still there', (await director.table()).length > 0);
const cleanup = await director.command(['cleanup', '--state-dir', director.stateDirectory]);
showCommand('lvs-operator cleanup', cleanup.stdout);
check('nothing of it is left in the kernel table', (await director.table()).length === 0);
await network.remove();

await tellOfFollowingLoad();

const mismatches = countMismatches();
chapter(
  mismatches === 0
    ? 'Everything was as it was said'
    : `${mismatches} statement(s) were NOT as they were said`,
);
process.exit(mismatches === 0 ? 0 : 1);
