import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseResource } from '../../src/api/index.ts';
import type { VirtualServiceResource } from '../../src/api/index.ts';
import { EffectiveVirtualServices, effectiveVirtualService } from '../../src/plan/index.ts';
import { desire, errorsOf, virtualService, webKey } from './world.ts';

const since = '2026-01-01T00:00:00Z';
const accepted = {
  addresses: [{ ip: '192.0.2.10', pool: 'public', since }],
  ports: [{ protocol: 'TCP', port: 80 }],
};
const withStatus = (resource: VirtualServiceResource, status: Readonly<Record<string, unknown>>) => ({
  ...resource,
  status,
});
const edited = virtualService('web', {
  addresses: undefined,
  addressFamilies: ['IPv6'],
  ports: [
    { name: 'http', port: 8080 },
    { name: 'https', port: 443 },
  ],
  scheduler: 'mh',
  persistence: { timeoutSeconds: 60 },
});

describe('what a director serves of a VirtualService', () => {
  it('is the accepted addresses and ports, and the rest of the newest spec', () => {
    const effective = effectiveVirtualService(withStatus(edited, accepted));
    assert.deepEqual(effective?.spec.addresses, [{ ip: '192.0.2.10' }]);
    assert.deepEqual(effective.spec.ports, [{ protocol: 'TCP', port: 80 }]);
    assert.equal(effective.spec.addressFamilies, undefined);
    const { services } = desire({ virtualServices: [effective] });
    assert.deepEqual([...services.keys()], [webKey]);
    assert.equal(services.get(webKey)?.config.scheduler, 'mh');
    assert.equal(services.get(webKey)?.config.persistenceTimeoutSeconds, 60);
  });

  for (const [what, status] of [
    ['no status', undefined],
    ['no addresses', { ports: accepted.ports }],
    ['no ports', { addresses: accepted.addresses }],
    ['nothing that reads', { addresses: [{ ip: '0x7f.1', since }], ports: [{ port: '80' }] }],
  ] as const) {
    it(`is nothing while the status has ${what}`, () => {
      const resource = status === undefined ? edited : withStatus(edited, status);
      assert.equal(effectiveVirtualService(resource), undefined);
      assert.deepEqual(new EffectiveVirtualServices().take([resource]), {
        virtualServices: [],
        pendingVirtualServices: [resource],
      });
    });
  }

  it('is judged like what a person wrote: a status gives nobody what no pool admits', () => {
    for (const ip of ['203.0.113.1', '127.0.0.1', '10.0.0.1']) {
      const lie = { ...accepted, addresses: [{ ip, since }] };
      const effective = effectiveVirtualService(withStatus(edited, lie));
      assert.ok(effective);
      const state = desire({ virtualServices: [effective] });
      assert.equal(state.services.size, 0);
      assert.match(errorsOf(state)[0] ?? '', /^Address(NotInPool|Reserved|OfDirector) web spec.addresses.0$/);
    }
  });

  it('is the same object for the same object, and its own answer', () => {
    const resource = withStatus(edited, accepted);
    const effective = effectiveVirtualService(resource);
    assert.ok(effective);
    assert.equal(effectiveVirtualService(resource), effective);
    assert.equal(effectiveVirtualService(effective), effective);
  });

  it('survives being written to a disk and read again', () => {
    const effective = effectiveVirtualService(withStatus(edited, accepted));
    const parsed = parseResource(JSON.parse(JSON.stringify(effective)));
    assert.ok(parsed.ok && parsed.resource.kind === 'VirtualService');
    assert.deepEqual(effectiveVirtualService(parsed.resource)?.spec, effective?.spec);
  });
});

describe('the list of them', () => {
  it('keeps its objects when only the rest of a status moves', () => {
    const list = new EffectiveVirtualServices();
    const [first] = list.take([withStatus(edited, accepted)]).virtualServices;
    const [second] = list.take([
      withStatus(edited, { ...accepted, counts: { serving: 3 }, conditions: [] }),
    ]).virtualServices;
    assert.ok(first);
    assert.equal(second, first);
  });

  it('has another object when an address, a port or the spec does', () => {
    const list = new EffectiveVirtualServices();
    const seen = new Set<unknown>();
    const ports = [{ protocol: 'TCP', port: 81 }];
    const addresses = [{ ip: '192.0.2.11', since }];
    for (const resource of [
      withStatus(edited, accepted),
      withStatus(edited, { ...accepted, ports }),
      withStatus(edited, { ...accepted, addresses }),
      withStatus(virtualService('web'), accepted),
    ]) {
      seen.add(list.take([resource]).virtualServices[0]);
    }
    assert.equal(seen.size, 4);
  });

  it('gives the same answer for the same list', () => {
    const list = new EffectiveVirtualServices();
    const resources = [withStatus(edited, accepted)];
    assert.equal(list.take(resources), list.take(resources));
  });
});
