import type { LabNetwork } from '../test/lab/network.ts';
import { sendRequests } from '../test/lab/traffic.ts';
import { chapter, check, say, showTable } from './screen.ts';

const requestsEach = 300;

interface Scenario {
  readonly method: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly vip: string;
  /** Share of each real server that its scheduler and weights promise. */
  readonly shares: Readonly<Record<string, number>>;
}

const thirds = { server1: 1 / 3, server2: 1 / 3, server3: 1 / 3 };
const doubled = { server1: 1 / 4, server2: 1 / 4, server3: 1 / 2 };
const halves = { server1: 1 / 2, server2: 1 / 2 };

const scenarios: readonly Scenario[] = [
  { method: 'NAT, wlc', family: 'IPv4', vip: '192.0.2.10', shares: thirds },
  { method: 'NAT, wlc', family: 'IPv6', vip: '2001:db8:0:2::10', shares: thirds },
  { method: 'DR, wrr 1:1:2', family: 'IPv4', vip: '192.0.2.11', shares: doubled },
  { method: 'DR, wrr 1:1:2', family: 'IPv6', vip: '2001:db8:0:2::11', shares: doubled },
  { method: 'TUN IPIP, rr', family: 'IPv4', vip: '192.0.2.12', shares: halves },
  { method: 'TUN IPIP, rr', family: 'IPv6', vip: '2001:db8:0:2::12', shares: halves },
  { method: 'TUN GUE, rr', family: 'IPv4', vip: '192.0.2.13', shares: halves },
];

/** Where requests go under each forwarding method and family. */
export async function tellOfBalancing(network: LabNetwork): Promise<void> {
  chapter(`${requestsEach} requests to each VIP, every one on a connection of its own`);
  const rows: (string | number)[][] = [];
  for (const { method, family, vip, shares } of scenarios) {
    const counts = await sendRequests(network.client, {
      host: vip,
      port: 80,
      count: requestsEach,
      concurrency: 1,
    });
    const served = network.realServers.map(({ name }) => counts.byServer[name] ?? 0);
    rows.push([
      method,
      family,
      vip,
      ...served,
      counts.failed,
      isAsShared(counts.byServer, shares) ? 'as promised' : 'NOT as promised',
    ]);
    say(`  ${method} over ${family}: ${counts.answered} answered, ${counts.failed} failed`);
  }
  say();
  showTable(
    ['METHOD', 'FAMILY', 'VIP', ...network.realServers.map(({ name }) => name), 'FAILED', 'SHARES'],
    rows,
  );
  check(
    'no request failed',
    rows.every((row) => row[6] === 0),
  );
  check(
    'each server got the share that scheduler and weights promise',
    rows.every((row) => row[7] === 'as promised'),
  );
}

/** One request at a time: rr and wrr are exact up to where the round began, wlc by the counts it sees. */
function isAsShared(
  byServer: Readonly<Record<string, number>>,
  shares: Readonly<Record<string, number>>,
): boolean {
  const total = Object.values(byServer).reduce((sum, count) => sum + count, 0);
  return (
    total === requestsEach &&
    Object.keys(byServer).every((name) => name in shares) &&
    Object.entries(shares).every(
      ([name, share]) => Math.abs((byServer[name] ?? 0) - share * total) <= 0.1 * total,
    )
  );
}
