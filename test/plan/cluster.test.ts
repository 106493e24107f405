import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DesiredStateInput } from '../../src/plan/index.ts';
import {
  addressPool,
  desire,
  draining,
  endpoint,
  errorsOf,
  podServer,
  realServer,
  slice,
  virtualService,
  web,
  webKey,
} from './world.ts';

const app = podServer('app', 'web');
const input = (more: Partial<DesiredStateInput>): Partial<DesiredStateInput> => ({
  virtualServices: [web],
  realServers: [app],
  realServerSlices: [],
  ...more,
});

const followingLoad = (spec: Record<string, unknown> = {}) =>
  virtualService('web', { ...web.spec, weightPolicy: { type: 'InFlight' }, ...spec });

/** `rip:port=weight`, with `-` while it drains and `!` as the last resort. */
function serversOf(more: Partial<DesiredStateInput>, key = webKey): readonly string[] {
  const servers = desire(input(more)).services.get(key)?.realServers ?? new Map();
  return [...servers]
    .map(
      ([name, { config, isDrained, isLastResort }]) =>
        `${name}=${config.weight}${isLastResort ? '!' : isDrained ? '-' : ''}`,
    )
    .toSorted();
}

describe('endpoints of slices', () => {
  it('serve on the virtual port, or on the ports of the slice', () => {
    assert.deepEqual(serversOf({ realServerSlices: [slice(app, ['10.244.1.5', '10.244.1.6'])] }), [
      '10.244.1.5:80=100',
      '10.244.1.6:80=100',
    ]);
    const mapped = slice(app, ['10.244.1.5'], { ports: [{ port: 8080 }] });
    assert.deepEqual(serversOf({ realServerSlices: [mapped] }), ['10.244.1.5:8080=100']);
  });

  it('have the weight of the RealServer, or their own where weights follow the load; 0 of the RealServer beats both', () => {
    const slices = [slice(app, [endpoint('10.244.1.5', { weight: 74 }), '10.244.1.6'])];
    const weighted = (weight: number, service: Record<string, unknown>) =>
      serversOf({
        virtualServices: [followingLoad(service)],
        realServers: [podServer('app', 'web', { weight })],
        realServerSlices: slices,
      });
    assert.deepEqual(weighted(50, {}), ['10.244.1.5:80=74', '10.244.1.6:80=50']);
    assert.deepEqual(weighted(0, {}), ['10.244.1.5:80=0', '10.244.1.6:80=0']);
    // A round of wrr is as long as the sum of the weights.
    assert.deepEqual(weighted(50, { scheduler: 'wrr' }), ['10.244.1.5:80=7', '10.244.1.6:80=5']);
    // Who wants the written weights has them at once, whether a controller is there or not.
    const asWritten = { weightPolicy: { type: 'Static' } };
    assert.deepEqual(weighted(50, asWritten), ['10.244.1.5:80=50', '10.244.1.6:80=50']);
  });

  it('are all there is: addresses that a RealServer lists are not served without a slice', () => {
    const fixed = realServer('fixed', 'web', ['10.0.0.5']);
    assert.deepEqual(serversOf({ realServers: [fixed] }), []);
    const slices = [slice(fixed, [endpoint('10.0.0.5', { podUID: undefined })])];
    assert.deepEqual(serversOf({ realServers: [fixed], realServerSlices: slices }), ['10.0.0.5:80=100']);
  });

  it('drain with their RealServer, at once and with all of it', () => {
    const drained = podServer('app', 'web', { state: 'Drained' });
    const slices = [slice(drained, ['10.244.1.5', draining('10.244.1.6')])];
    assert.deepEqual(serversOf({ realServers: [drained], realServerSlices: slices }), [
      '10.244.1.5:80=0-',
      '10.244.1.6:80=0-',
    ]);
  });

  it('are ignored without their RealServer, their VirtualService, or under another VirtualService', () => {
    const other = podServer('other', 'gone');
    const moved = podServer('app', 'elsewhere');
    const state = desire(
      input({ realServerSlices: [slice(other, ['10.244.1.7']), slice(moved, ['10.244.1.8'])] }),
    );
    assert.deepEqual(state.refusals, []);
    assert.equal(state.services.get(webKey)?.realServers.size, 0);
    assert.deepEqual(state.accepted.realServerSlices, []);
  });

  it('wait without a refusal while the VirtualService is pending', () => {
    const waiting = { virtualServices: [], realServerSlices: [slice(app, ['10.244.1.5'])] };
    assert.deepEqual(desire(input({ ...waiting, pendingVirtualServices: [web] })).refusals, []);
    assert.deepEqual(errorsOf(desire(input(waiting))), [
      'VirtualServiceNotFound app spec.virtualServiceRef.name',
    ]);
  });

  it('cross families under TUN only where the RealServer, in all of its slices, has none of the family', () => {
    const tunnelled = podServer('app', 'web', { forwarding: { method: 'TUN' } });
    const six = slice(tunnelled, ['2001:db8:9::5'], {}, 'six');
    const four = slice(tunnelled, ['10.244.1.5'], {}, 'four');
    const serve = (...realServerSlices: (typeof six)[]) =>
      serversOf({ realServers: [tunnelled], realServerSlices });
    assert.deepEqual(serve(six), ['[2001:db8:9::5]:80=100']);
    assert.deepEqual(serve(six, four), ['10.244.1.5:80=100']);
  });
});

describe('a bad endpoint', () => {
  const bad = slice(app, ['169.254.169.254', '10.244.1.5', '192.0.2.10', '2001:db8:9::1']);

  it('is refused alone, with its address, and the others serve', () => {
    const state = desire(input({ realServerSlices: [bad] }));
    assert.deepEqual(errorsOf(state), [
      'AddressFamilyMismatch app spec.podSelector',
      'AddressIsVirtual app spec.podSelector',
      'AddressReserved app spec.podSelector',
    ]);
    assert.deepEqual(
      state.refusals.map(({ endpoint: ip }) => ip),
      ['169.254.169.254', '192.0.2.10', '2001:db8:9::1'],
    );
    assert.deepEqual([...(state.services.get(webKey)?.realServers.keys() ?? [])], ['10.244.1.5:80']);
    assert.deepEqual(state.accepted.realServers, [app]);
  });

  it('brings no older version of the RealServer back', () => {
    const before = podServer('app', 'web', { weight: 3 });
    const lastAccepted = { virtualServices: [web], realServers: [before], addressPools: [] };
    assert.deepEqual(serversOf({ realServerSlices: [bad], lastAccepted }), ['10.244.1.5:80=100']);
  });

  it('without a pod must lie in the realServerCIDRs; the path names the address that was written', () => {
    const fixed = realServer('fixed', 'web', ['10.0.0.5', '172.16.0.1']);
    const endpoints = ['10.0.0.5', '172.16.0.1'].map((ip) => endpoint(ip, { podUID: undefined }));
    const state = desire(input({ realServers: [fixed], realServerSlices: [slice(fixed, endpoints)] }));
    assert.deepEqual(errorsOf(state), ['RealServerNotAllowed fixed spec.addresses.1']);
    assert.deepEqual([...(state.services.get(webKey)?.realServers.keys() ?? [])], ['10.0.0.5:80']);
  });

  it('in a file refuses the whole RealServer', () => {
    const fixed = realServer('fixed', 'web', ['10.0.0.5', '172.16.0.1']);
    const state = desire({ virtualServices: [web], realServers: [fixed] });
    assert.deepEqual(errorsOf(state), ['RealServerNotAllowed fixed spec.addresses.1']);
    assert.equal(state.refusals[0]?.endpoint, undefined);
    assert.equal(state.services.get(webKey)?.realServers.size, 0);
  });

  it('among thousands is told fifty times, and then counted', () => {
    const slices = Array.from({ length: 3 }, (_, index) =>
      slice(
        app,
        Array.from({ length: 100 }, (__, host) => `127.0.${index}.${host + 1}`),
        {},
        `app-${index}`,
      ),
    );
    const { refusals } = desire(input({ realServerSlices: slices }));
    assert.equal(refusals.length, 51);
    assert.equal(refusals.at(-1)?.severity, 'warning');
    assert.match(refusals.at(-1)?.message ?? '', /^250 more endpoints/);
  });

  it('has bad ports: its slice is out, the others go on', () => {
    const slices = [
      slice(app, ['10.244.1.5'], { ports: [{ name: 'metrics', port: 9090 }] }, 'bad'),
      slice(app, ['10.244.1.6'], {}, 'good'),
    ];
    const state = desire(input({ realServerSlices: slices }));
    assert.deepEqual(errorsOf(state), ['PortNotFound app spec.ports.0.name']);
    assert.deepEqual([...(state.services.get(webKey)?.realServers.keys() ?? [])], ['10.244.1.6:80']);
  });
});

describe('two that have the same endpoint', () => {
  const older = podServer('older', 'web', { weight: 1 }, { creationTimestamp: '2026-01-01T00:00:00Z' });
  const younger = podServer('younger', 'web', { weight: 2 }, { creationTimestamp: '2026-02-01T00:00:00Z' });
  const pod = '10.244.1.5';
  const scenarios = [
    ['both serve: the older RealServer has it, the other hears of it', [pod], [pod], 1, 1],
    ['serving beats draining', [draining(pod)], [pod], 2, 0],
    ['serving beats draining, the other way round', [pod], [draining(pod)], 1, 0],
  ] as const;
  for (const [what, first, second, weight, refusals] of scenarios) {
    it(what, () => {
      const slices = [slice(older, first), slice(younger, second)];
      for (const realServerSlices of [slices, slices.toReversed()]) {
        for (const realServers of [
          [older, younger],
          [younger, older],
        ]) {
          const state = desire(input({ realServers, realServerSlices }));
          assert.equal(state.services.get(webKey)?.realServers.get(`${pod}:80`)?.config.weight, weight);
          assert.equal(state.refusals.length, refusals);
          if (refusals > 0) assert.equal(state.refusals[0]?.object.name, 'younger');
        }
      }
    });
  }

  it('of one RealServer: a pod on its way from slice to slice is nobody’s fault', () => {
    const slices = [slice(app, [draining(pod)], {}, 'a'), slice(app, [pod], {}, 'b')];
    const state = desire(input({ realServerSlices: slices }));
    assert.deepEqual(state.refusals, []);
    assert.equal(state.services.get(webKey)?.realServers.get(`${pod}:80`)?.isDrained, false);
  });
});

describe('when everybody drains', () => {
  it('those that end keep their weight, and those that a person drained do not', () => {
    const byName = podServer('by-name', 'web', { state: 'Drained' });
    const slices = [slice(app, [draining('10.244.1.5')]), slice(byName, [draining('10.244.1.6')])];
    assert.deepEqual(serversOf({ realServers: [app, byName], realServerSlices: slices }), [
      '10.244.1.5:80=100!',
      '10.244.1.6:80=0-',
    ]);
  });

  it('one that serves is enough to quiesce the others, one at weight 0 is not', () => {
    const slices = [slice(app, [draining('10.244.1.5'), '10.244.1.6'])];
    assert.deepEqual(serversOf({ realServerSlices: slices }), ['10.244.1.5:80=0-', '10.244.1.6:80=100']);
    const idle = [slice(app, [draining('10.244.1.5'), endpoint('10.244.1.6', { weight: 0 })])];
    const virtualServices = [followingLoad()];
    assert.deepEqual(serversOf({ virtualServices, realServerSlices: idle }), [
      '10.244.1.5:80=100!',
      '10.244.1.6:80=0',
    ]);
  });
});

describe('pools that admit by label', () => {
  const pool = addressPool('labelled', {
    namespaces: [],
    namespaceSelector: { matchLabels: { tier: 'gold' } },
  });
  const admitted = (labels: Record<string, string> | undefined) => {
    const namespaceLabels = new Map(labels === undefined ? [] : [['default', labels]]);
    return desire(input({ addressPools: [pool], namespaceLabels })).services.size === 1;
  };

  it('follow the labels of the namespace', () => {
    assert.equal(admitted({ tier: 'gold' }), true);
    assert.equal(admitted({ tier: 'silver' }), false);
    assert.equal(admitted(undefined), false);
  });

  it('admit nobody from files, and say so', () => {
    const { refusals, services } = desire({ virtualServices: [web], addressPools: [pool] });
    assert.equal(services.size, 0);
    assert.deepEqual(
      refusals.map(({ reason }) => reason),
      ['NeedsCluster', 'NamespaceNotAdmitted'],
    );
  });

  it('and labels that no selector asks for move nothing', () => {
    const slices = [slice(app, ['10.244.1.5'])];
    const at = (labels: Record<string, string>) =>
      desire(
        input({
          addressPools: [pool],
          realServerSlices: slices,
          namespaceLabels: new Map([['default', { tier: 'gold', ...labels }]]),
        }),
      );
    const first = at({});
    const second = at({ 'an-unrelated-label': 'yes' });
    assert.equal(first.services.get(webKey), second.services.get(webKey));
  });
});

describe('a VirtualService without real servers', () => {
  it('is served all the same', () => {
    assert.deepEqual(
      [...desire(input({ virtualServices: [virtualService('web')] })).services.keys()],
      [webKey],
    );
  });
});

describe('source NAT', () => {
  const sourceNat = (forwarding: object | undefined, more: Partial<DesiredStateInput> = {}): boolean => {
    const service = virtualService('web', forwarding === undefined ? {} : { forwarding });
    const state = desire(
      input({ virtualServices: [service], realServerSlices: [slice(app, ['10.244.1.5'])], ...more }),
    );
    const isTracked = state.packetRules.sourceNat.length > 0;
    assert.equal(state.sysctls.get('net/ipv4/vs/conntrack') === '1', isTracked, 'conntrack goes with it');
    return isTracked;
  };

  it('is the default where pods are found, and not for static addresses', () => {
    assert.equal(sourceNat(undefined), true);
    const fixed = realServer('fixed', 'web', ['10.0.0.5']);
    const slices = [slice(fixed, [endpoint('10.0.0.5', { podUID: undefined })])];
    assert.equal(sourceNat(undefined, { realServers: [fixed], realServerSlices: slices }), false);
  });

  it('is what people say, and nothing but NAT has it', () => {
    assert.equal(sourceNat({ sourceNAT: false }), false);
    assert.equal(sourceNat({ method: 'DR' }), false);
  });

  it('does not come and go with the endpoints', () => {
    assert.equal(sourceNat(undefined, { realServerSlices: [] }), true);
  });
});
