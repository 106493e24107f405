import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultDirectorConfiguration, parseResource } from '../../src/api/index.ts';
import type { Logger } from '../../src/base/index.ts';
import { DirectorAgent } from '../../src/director/agent.ts';
import type { DesiredView } from '../../src/director/desired-source.ts';
import { DirectorHealth, knownVerdicts } from '../../src/director/director-health.ts';
import { Host } from '../../src/director/host.ts';
import { LastGoodStore } from '../../src/director/last-good.ts';
import { LedgerStore } from '../../src/director/ledger.ts';
import { StatusBoard } from '../../src/director/status-board.ts';
import type { DirectorStatus } from '../../src/director/status.ts';
import type { Verdict } from '../../src/health/index.ts';
import { IpvsClient } from '../../src/ipvs/index.ts';
import type { IpvsTable, ObservedRealServer } from '../../src/ipvs/index.ts';
import { groupResources } from '../../src/manifests/index.ts';
import { FakeKernel } from '../fakes/fake-kernel.ts';
import { rememberingLink } from './fake-link.ts';

const up: Verdict = { isUp: true, isProven: true, against: 0, reason: undefined, sinceMs: 0 };
const down: Verdict = { ...up, isUp: false, reason: 'ConnectTimeout' };

/** A director of which all but the kernel, the verdicts and the time are real. Each service has an address of 192.0.2.0/24. */
export class HealthRig {
  readonly kernel = new FakeKernel();
  readonly statuses: DirectorStatus[] = [];
  readonly log: { readonly message: string; readonly keys: Record<string, unknown> }[] = [];
  readonly agent: DirectorAgent;
  nowMs = 1_000_000;
  /** By `SERVICE` and `SERVER` as the kernel's keys are written. */
  isDown: (service: string, server: string) => boolean = () => false;
  /** Connections that the kernel has open, by the key of the server. */
  connections = new Map<string, number>();
  readonly #eyes = IpvsClient.open({ libc: this.kernel.libc });
  readonly #stateDirectory = mkdtempSync(join(tmpdir(), 'health-rig-'));

  /** @param servers addresses of the real servers of each service. */
  constructor(servers: readonly (readonly string[])[]) {
    const configuration = { ...defaultDirectorConfiguration(), netfilter: 'Off' as const };
    const clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs };
    const write = (message: string, keys: object = {}): void =>
      void this.log.push({ message, keys: { ...keys } });
    const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
    const view = viewOf(servers);
    this.agent = new DirectorAgent({
      source: {
        current: () => view,
        locate: () => undefined,
        fileOf: () => undefined,
        refresh: () => {},
        close: () => {},
      },
      host: new Host({
        client: this.#openClient(),
        link: rememberingLink(),
        configuration,
        logger,
        readTableFingerprint: () => '',
      }),
      ledgerStore: new LedgerStore(this.#stateDirectory),
      lastGood: new LastGoodStore(this.#stateDirectory, logger),
      health: new DirectorHealth({
        verdicts: knownVerdicts((entry) => {
          const [service = '', server = ''] = entry.split(/ (?=\S+$)/);
          return this.isDown(service, server) ? down : up;
        }),
        nowMs: () => this.nowMs,
        wallMs: () => this.nowMs,
      }),
      board: new StatusBoard({
        version: 'test',
        pid: 1,
        kernel: { release: '6.1', ipvsVersion: '1.2.1', connectionTableSize: 4096 },
        clock,
        write: (status) => this.statuses.push(status),
      }),
      configuration,
      clock,
      logger,
    });
  }

  table(): IpvsTable {
    return this.#eyes.observeTable();
  }

  /** What passes did, one for each that did anything. */
  applied(): readonly Readonly<Record<string, unknown>>[] {
    return this.log.flatMap(({ message, keys }) => (message === 'pass applied changes' ? [keys] : []));
  }

  close(): void {
    this.#eyes.close();
    rmSync(this.#stateDirectory, { recursive: true, force: true });
  }

  /** The director's own client, whose readings have connections. */
  #openClient(): IpvsClient {
    const client = IpvsClient.open({ libc: this.kernel.libc });
    const observe = client.observeRealServers.bind(client);
    client.observeRealServers = (service, options) =>
      new Map(
        [...observe(service, options)].map(([key, server]) => [key, this.#withConnections(key, server)]),
      );
    return client;
  }

  #withConnections(key: string, server: ObservedRealServer): ObservedRealServer {
    const active = this.connections.get(key);
    return active === undefined ? server : { ...server, connections: { ...server.connections, active } };
  }
}

function viewOf(servers: readonly (readonly string[])[]): DesiredView {
  const pool = { addresses: ['192.0.2.0/24'], namespaces: ['*'], realServerCIDRs: ['10.0.0.0/8'] };
  const resources = [
    parse('AddressPool', 'all', pool),
    ...servers.flatMap((addresses, n) => [
      parse('VirtualService', `s${n}`, {
        addresses: [{ ip: `192.0.2.${n + 1}` }],
        ports: [{ port: 80 }],
        healthCheck: { tcp: {} },
      }),
      parse('RealServer', `s${n}`, { virtualServiceRef: { name: `s${n}` }, addresses }),
    ]),
  ];
  return {
    resources: groupResources(resources as never),
    problems: [],
    status: { description: 'a test', listNumber: 1, isComplete: true, readAt: undefined },
    condition: { type: 'ManifestsRead', status: 'True', reason: 'Read', message: '' },
    listNumber: 1,
    isComplete: true,
    isAbsenceConfirmed: false,
    cluster: undefined,
  };
}

function parse(kind: string, name: string, spec: unknown) {
  const apiVersion = 'networking.lvs-operator.io/v1alpha1';
  const parsed = parseResource({ apiVersion, kind, metadata: { name }, spec });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return { resource: parsed.resource };
}
