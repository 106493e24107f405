import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCidr, parseIpAddress } from '../../src/base/index.ts';
import { DirectorHealth, knownVerdicts } from '../../src/director/director-health.ts';
import { firstVerdict } from '../../src/health/index.ts';
import type { Check, Verdict } from '../../src/health/index.ts';
import type { IpvsTable } from '../../src/ipvs/index.ts';
import { addProbeServices } from '../../src/plan/index.ts';
import type { DesiredState, DirectorFacts } from '../../src/plan/index.ts';
import { addressPool, desire, facts, realServer, virtualService } from '../plan/world.ts';

const here: DirectorFacts = {
  ...facts,
  ownAddresses: [parseIpAddress('10.0.0.254')],
  uplinks: [{ name: 'eth1', subnets: [parseCidr('10.0.0.0/24')], mtu: 1500 }],
};
const service = 'TCP 192.0.2.10:80';

function goal(through: 'virtualService' | 'realServer'): DesiredState {
  const web = virtualService('web', { healthCheck: { tcp: {}, through }, forwarding: { method: 'DR' } });
  const servers = realServer('web', 'web', ['10.0.0.5', '10.0.0.6']);
  const input = { facts: here, addressPools: [addressPool('lab')], virtualServices: [web] };
  return addProbeServices(desire({ ...input, realServers: [servers] }), here);
}

/** What a checker holds: a verdict for each check that it was told of, and for no other. */
function rig() {
  const held = new Map<string, Verdict>();
  const health = new DirectorHealth({
    verdicts: {
      ...knownVerdicts((entry) => held.get(entry)),
      setChecks: (checks: readonly Check[]) => {
        const wanted = new Set(checks.map(({ id }) => id));
        for (const id of held.keys()) if (!wanted.has(id)) held.delete(id);
        for (const { id, beginning } of checks)
          if (!held.has(id)) held.set(id, firstVerdict(beginning, 1000));
      },
    },
    nowMs: () => 1000,
    wallMs: () => 1000,
  });
  const weights = (desired: DesiredState, table: IpvsTable) =>
    [...(health.judge(desired, table, false).desired.services.get(service)?.realServers.values() ?? [])].map(
      ({ config }) => config.weight,
    );
  return { held, weights };
}

/** The kernel has all of it. */
function tableOf(desired: DesiredState): IpvsTable {
  const table = new Map<string, unknown>();
  for (const [key, { key: serviceKey, config, realServers }] of desired.services)
    table.set(key, {
      key: serviceKey,
      config,
      stats: undefined,
      realServers: new Map(
        [...realServers].map(([name, server]) => [
          name,
          {
            key: server.key,
            config: { ...server.config, weight: desired.services.get(key)?.isForProbes ? 1 : 0 },
            connections: { active: 0, inactive: 0, persistent: 0 },
            stats: undefined,
          },
        ]),
      ),
    });
  return table as IpvsTable;
}

describe('a server that is asked through its virtual service, before the kernel has the way there', () => {
  it('begins down as any other, and goes on so once it can be asked', () => {
    const { held, weights } = rig();
    const desired = goal('virtualService');
    assert.deepEqual(weights(desired, new Map()), [0, 0]);
    assert.equal(held.size, 0, 'nobody is asked yet');
    assert.deepEqual(weights(desired, tableOf(desired)), [0, 0]);
    assert.deepEqual(
      [...held.values()].map(({ isUp, isProven }) => [isUp, isProven]),
      [
        [false, false],
        [false, false],
      ],
      'its first success lets it in',
    );
  });

  it('keeps the verdict of a check that was edited', () => {
    const { held, weights } = rig();
    const before = goal('realServer');
    weights(before, new Map());
    const [first = ''] = held.keys();
    held.set(first, { isUp: true, isProven: true, against: 0, reason: undefined, sinceMs: 0 });
    const other = [...held.keys()][1] ?? '';
    held.set(other, { isUp: false, isProven: true, against: 0, reason: 'ConnectTimeout', sinceMs: 0 });
    assert.deepEqual(weights(goal('virtualService'), new Map()), [100, 0]);
  });
});
