import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DirectorStatus } from '../../src/director/index.ts';
import { IpvsClient } from '../../src/ipvs/index.ts';
import type { IpvsTable } from '../../src/ipvs/index.ts';
import type { Link } from '../../src/link/index.ts';
import { loadLibc } from '../../src/netlink/index.ts';
import type { LabDirector } from '../lab/director-process.ts';
import type { LabHost } from '../lab/host.ts';
import { openLinkOn } from './link-hosts.ts';

/** What a test sees of a host without starting a program, so that it may look twenty times a second. */
export class Eyes {
  readonly link: Link;
  readonly #client: IpvsClient;

  constructor(host: LabHost) {
    this.#client = IpvsClient.open({ libc: loadLibc(), netns: host.netnsPath });
    this.link = openLinkOn(host);
  }

  table(options: { readonly stats?: boolean } = {}): IpvsTable {
    return this.#client.observeTable(options);
  }

  /** The table without what traffic moves: a line per service and real server, sorted. */
  tableLines(): string[] {
    return linesOf(this.table());
  }

  /** Weight of a real server; undefined when it is not there. */
  weight(service: string, realServer: string): number | undefined {
    return this.table().get(service)?.realServers.get(realServer)?.config.weight;
  }

  /** `address on device (protocol)`, link-local ones left out, sorted. */
  addressLines(): string[] {
    return this.link
      .observeAddresses()
      .filter(({ ip }) => !ip.startsWith('fe80:'))
      .map(({ ip, prefixLength, device, protocol }) => `${ip}/${prefixLength} on ${device} (${protocol})`)
      .toSorted();
  }

  close(): void {
    this.#client.close();
    this.link.close();
  }
}

export function linesOf(table: IpvsTable): string[] {
  return [...table]
    .flatMap(([key, { config, realServers }]) => [
      `${key} ${JSON.stringify(config)}`,
      ...[...realServers].map(
        ([realServer, there]) => `${key} > ${realServer} ${JSON.stringify(there.config)}`,
      ),
    ])
    .toSorted();
}

/** Polls until `condition` holds. @returns how long it took, in milliseconds. @throws Error after `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 90_000,
): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    if (await condition()) return Math.round(performance.now() - startMs);
    if (performance.now() - startMs > timeoutMs) throw new Error(`after ${timeoutMs} ms still not: ${what}`);
    await sleep(30);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The status file of a director. */
export function readStatus(director: LabDirector): DirectorStatus {
  return JSON.parse(readFileSync(join(director.stateDirectory, 'status.json'), 'utf8')) as DirectorStatus;
}

/** Whether there is a status yet: the first comes up to a second after the first pass. */
export function hasStatus(director: LabDirector): boolean {
  return existsSync(join(director.stateDirectory, 'status.json'));
}

/** `True Serving`: status and reason of a condition; empty before there is a status. */
export function conditionOf(director: LabDirector, type: string): string {
  if (!hasStatus(director)) return '';
  const found = readStatus(director).conditions.find((condition) => condition.type === type);
  return found === undefined ? '' : `${found.status} ${found.reason}`;
}

/** `--config` with a file of these settings. */
export function configFlags(settings: Readonly<Record<string, unknown>>): string[] {
  const path = join(mkdtempSync(join(process.env['LAB_SCRATCH'] ?? tmpdir(), 'config-')), 'director.yaml');
  const head = { apiVersion: 'networking.lvs-operator.io/v1alpha1', kind: 'DirectorConfiguration' };
  writeFileSync(path, JSON.stringify({ ...head, ...settings }));
  return ['--config', path];
}
