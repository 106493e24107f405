import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { directorLabel, parserOf } from '../../src/cluster/index.ts';
import type { NodeRecord } from '../../src/cluster/index.ts';
import { compareVersions, describeDirectors, liveDirectors } from '../../src/controller/live-directors.ts';
import { DirectorFleet } from '../../src/controller/programming.ts';

function director(name: string, status: Record<string, unknown>) {
  return parserOf('Director')({
    apiVersion: 'networking.lvs-operator.io/v1alpha1',
    kind: 'Director',
    metadata: { name, uid: `uid-${name}`, resourceVersion: '5' },
    spec: {},
    status,
  });
}

function node(name: string, labels: Readonly<Record<string, string>>, isReady = true): [string, NodeRecord] {
  const record = {
    name,
    uid: '',
    addresses: [],
    internalAddress: undefined,
    podCidrs: [],
    isReady,
    isUnschedulable: false,
    isDraining: false,
    labels,
  };
  return [name, record];
}

const through = { programmedThrough: { virtualServices: '99' } };
const retired = {
  conditions: [
    {
      type: 'Ready',
      status: 'False',
      reason: 'Retired',
      message: 'The node is no director any more.',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ],
};
const labelled = { [directorLabel]: '' };

describe('directors', () => {
  const nodes = new Map([
    node('serves', labelled),
    node('down', labelled, false),
    node('left', {}),
    node('gave-back', {}),
  ]);
  const live = liveDirectors(
    [
      director('serves', { nodeName: 'serves', ...through }),
      director('down', { nodeName: 'down', ...through }),
      director('left', { nodeName: 'left', ...through }),
      director('gave-back', { nodeName: 'gave-back', ...retired }),
      director('gone', { nodeName: 'gone', ...through }),
    ],
    nodes,
  );

  it('are live where their node is, until they have given it back', () => {
    assert.deepEqual(
      live.map(({ name, isServing }) => [name, isServing]),
      [
        ['left', false],
        ['serves', true],
      ],
    );
  });

  it('are asked to serve only where the node is to be a director', () => {
    const fleet = new DirectorFleet(live);
    const question = { object: 'VirtualService shop/web', wasProgrammed: false };
    const needed = { virtualServices: '99' };
    assert.deepEqual(fleet.ask({ ...question, needed }), {
      directors: 1,
      programmed: 1,
      inMaintenance: [],
      verdict: { kind: 'programmed' },
    });
    assert.deepEqual(fleet.ask({ ...question, needed: { virtualServices: '100' } }).verdict, {
      kind: 'pending',
      directors: ['serves'],
    });
    const other = liveDirectors([director('left', { nodeName: 'left', ...through })], nodes);
    assert.equal(new DirectorFleet(other).ask({ ...question, needed }).verdict.kind, 'noDirectors');
  });

  it('are waited for only where they take clients', () => {
    const maintenance = { since: '2026-01-01T00:00:00Z', active: 3, inactive: 0 };
    const fleetOf = (...of: readonly ReturnType<typeof director>[]) =>
      new DirectorFleet(liveDirectors(of, new Map([node('a', labelled), node('b', labelled)])));
    // Somebody works on it: it has not taken in what the other has, and refuses what the other serves.
    const refused = [{ object: 'VirtualService shop/web', reason: 'Refused', message: 'No.' }];
    const away = director('a', { nodeName: 'a', ...through, maintenance, refused });
    const there = director('b', { nodeName: 'b', programmedThrough: { virtualServices: '100' } });
    const question = { object: 'VirtualService shop/web', wasProgrammed: false };
    const needed = { virtualServices: '100' };
    assert.deepEqual(fleetOf(away, there).ask({ ...question, needed }), {
      directors: 1,
      programmed: 1,
      inMaintenance: ['a'],
      verdict: { kind: 'programmed' },
    });
    assert.deepEqual(fleetOf(away).ask({ ...question, needed }), {
      directors: 0,
      programmed: 0,
      inMaintenance: ['a'],
      verdict: { kind: 'inMaintenance', directors: ['a'] },
    });
  });

  it('are told in few words, however many they are', () => {
    assert.equal(describeDirectors(['a']), 'director a');
    assert.equal(
      describeDirectors(['a', 'b', 'c', 'd', 'e', 'f', 'g']),
      'directors a, b, c, d, e and 2 more',
    );
  });

  it('are compared by versions that are numbers of any length', () => {
    assert.ok(compareVersions('9', '10') < 0);
    assert.ok(compareVersions('18446744073709551616', '18446744073709551615') > 0);
    assert.equal(compareVersions('42', '42'), 0);
  });
});
