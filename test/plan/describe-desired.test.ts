import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeDesired } from '../../src/plan/index.ts';
import type { DesiredStateInput } from '../../src/plan/index.ts';
import { addressPool, desire, draining, endpoint, podServer, slice, virtualService } from './world.ts';

const two = virtualService('two', {
  addresses: [{ ip: '192.0.2.10' }, { pool: 'second' }],
  ports: [
    { name: 'http', port: 80 },
    { name: 'https', port: 443 },
  ],
});
const refused = virtualService('refused', { addresses: [{ ip: '127.0.0.1' }] });
const app = podServer('app', 'two');
const idle = podServer('idle', 'two', { weight: 0 });
const none = podServer('none', 'two');
const bad = podServer('bad', 'two');
const orphan = podServer('orphan', 'gone');
const input: Partial<DesiredStateInput> = {
  virtualServices: [two, refused],
  realServers: [app, idle, none, bad, orphan],
  realServerSlices: [
    slice(app, ['10.244.1.5', '10.244.1.6', draining('10.244.1.7')]),
    slice(idle, ['10.244.1.8']),
    slice(bad, ['169.254.169.254']),
  ],
  addressPools: [
    addressPool('public'),
    addressPool('second', { addresses: ['198.51.100.0/24'], default: false }),
  ],
};

describe('what a goal says of its objects', () => {
  const { virtualServices, realServers } = describeDesired(desire(input));

  it('counts an endpoint once, on however many addresses and ports it serves', () => {
    const summary = virtualServices.get('default/two');
    assert.deepEqual(summary?.vips, [
      { ip: '192.0.2.10', pool: 'public' },
      { ip: '198.51.100.0', pool: 'second' },
    ]);
    assert.deepEqual(summary.ports, two.spec.ports);
    assert.deepEqual(summary.counts, { realServers: 4, serving: 2, draining: 1 });
    assert.deepEqual(summary.refusals, []);
  });

  it('tells each RealServer its own', () => {
    const states = (name: string) => Object.fromEntries(realServers.get(`default/${name}`)?.endpoints ?? []);
    assert.deepEqual(states('app'), {
      '10.244.1.5': 'Serving',
      '10.244.1.6': 'Serving',
      '10.244.1.7': 'Draining',
    });
    assert.deepEqual(states('idle'), { '10.244.1.8': 'Idle' });
    assert.deepEqual(realServers.get('default/none')?.counts, { realServers: 0, serving: 0, draining: 0 });
    assert.deepEqual(
      realServers.get('default/bad')?.refusals.map(({ reason, endpoint: ip }) => [reason, ip]),
      [['AddressReserved', '169.254.169.254']],
    );
    assert.deepEqual(
      realServers.get('default/orphan')?.refusals.map(({ reason }) => reason),
      ['VirtualServiceNotFound'],
    );
  });

  it('has what is not served, too', () => {
    const summary = virtualServices.get('default/refused');
    assert.ok(summary);
    assert.equal(summary.resource, undefined);
    assert.deepEqual(summary.vips, []);
    assert.deepEqual(
      summary.refusals.map(({ reason }) => reason),
      ['AddressReserved'],
    );
  });

  it('counts a last resort as serving, which it does', () => {
    const realServerSlices = [slice(app, [draining('10.244.1.5')])];
    const summary = describeDesired(desire({ ...input, realServerSlices }));
    assert.deepEqual(summary.virtualServices.get('default/two')?.counts, {
      realServers: 1,
      serving: 1,
      draining: 0,
    });
  });

  it('names no pool for an address that lies in none any more', () => {
    const { allocations } = desire(input);
    const [, second] = input.addressPools ?? [];
    const state = desire({ ...input, allocations, addressPools: second === undefined ? [] : [second] });
    const summary = describeDesired(state).virtualServices.get('default/two');
    assert.deepEqual(summary?.vips[0], { ip: '192.0.2.10', pool: undefined });
    assert.deepEqual(
      summary.refusals.map(({ reason }) => reason),
      ['PoolShrunk'],
    );
  });

  it('is the same object while it says the same, and another when it does not', () => {
    const other = virtualService('other', {
      addresses: [{ ip: '192.0.2.20' }],
      weightPolicy: { type: 'InFlight' },
    });
    const ofOther = podServer('of-other', 'other');
    const services = { virtualServices: [two, other], realServers: [app, ofOther] };
    const first = slice(app, ['10.244.1.5']);
    // As in a controller: what was chosen once is chosen.
    const { allocations } = desire({ ...input, ...services });
    const at = (weight: number) =>
      describeDesired(
        desire({
          ...input,
          ...services,
          allocations,
          realServerSlices: [first, slice(ofOther, [endpoint('10.244.2.5', { weight })])],
        }),
      );
    const before = at(1);
    const after = at(2);
    const pick = (summary: typeof before, name: string) => summary.virtualServices.get(`default/${name}`);
    assert.equal(pick(after, 'two'), pick(before, 'two'));
    assert.equal(after.realServers.get('default/app'), before.realServers.get('default/app'));
    assert.deepEqual(pick(at(0), 'other')?.counts, { realServers: 1, serving: 0, draining: 0 });
  });
});
