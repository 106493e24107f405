import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podIndexes, podParser } from '../../src/cluster/index.ts';
import type { PodRecord } from '../../src/cluster/index.ts';

const parse = podParser();

function parsed(object: {
  readonly metadata?: object;
  readonly spec?: unknown;
  readonly status?: unknown;
}): PodRecord {
  return parse({ ...object, metadata: { name: 'a', namespace: 'shop', uid: 'u', ...object.metadata } });
}

const plain: PodRecord = {
  namespace: 'shop',
  name: 'a',
  uid: 'u',
  labels: {},
  ips: [],
  nodeName: undefined,
  isReady: false,
  phase: 'Pending',
  deletionDeadlineMs: undefined,
  isHostNetwork: false,
  resources: { cpuLimit: undefined, cpuRequest: undefined, memoryLimit: undefined },
};

describe('a record of a pod', () => {
  const scenarios: readonly {
    readonly name: string;
    readonly object: Parameters<typeof parsed>[0];
    readonly record: Partial<PodRecord>;
  }[] = [
    { name: 'nothing but a name', object: {}, record: {} },
    {
      name: 'a running pod with two addresses',
      object: {
        metadata: { labels: { app: 'web' } },
        spec: { nodeName: 'node-1', hostNetwork: false, containers: [{ name: 'x' }] },
        status: {
          phase: 'Running',
          podIP: '10.0.0.1',
          podIPs: [{ ip: '10.0.0.1' }, { ip: '2001:DB8::1' }],
          conditions: [
            { type: 'Initialized', status: 'True' },
            { type: 'Ready', status: 'True' },
          ],
        },
      },
      record: {
        labels: { app: 'web' },
        ips: ['10.0.0.1', '2001:db8::1'] as unknown as PodRecord['ips'],
        nodeName: 'node-1',
        isReady: true,
        phase: 'Running',
      },
    },
    {
      name: 'only the older field with an address',
      object: { status: { phase: 'Running', podIP: '10.0.0.1' } },
      record: { ips: ['10.0.0.1'] as unknown as PodRecord['ips'], phase: 'Running' },
    },
    {
      name: 'readiness that is not there, false or unknown',
      object: { status: { conditions: [{ type: 'Ready', status: 'Unknown' }, null, 'x'] } },
      record: {},
    },
    {
      name: 'ending: the time is when it is killed, and includes the grace period',
      object: { metadata: { deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 } },
      record: { deletionDeadlineMs: Date.parse('2026-01-01T00:00:30Z') },
    },
    {
      name: 'ending, and nobody can tell when',
      object: { metadata: { deletionTimestamp: 'soon' } },
      record: { deletionDeadlineMs: 0 },
    },
    {
      name: 'on the host network',
      object: { spec: { hostNetwork: true } },
      record: { isHostNetwork: true },
    },
    {
      name: 'a phase of tomorrow',
      object: { status: { phase: 'Hibernating' } },
      record: { phase: 'Unknown' },
    },
    {
      name: 'fields of other types',
      object: {
        metadata: { labels: ['x'] },
        spec: 'none',
        status: { phase: 5, podIPs: 'x', podIP: '10.0.0.999', conditions: {} },
      },
      record: { phase: 'Unknown' },
    },
  ];
  for (const { name, object, record } of scenarios) {
    it(name, () => assert.deepEqual(parsed(object), { ...plain, ...record }));
  }

  it('shares equal labels among pods', () => {
    const first = parsed({ metadata: { labels: { app: 'web', tier: 'front' } } });
    const second = parsed({ metadata: { name: 'b', labels: { app: 'web', tier: 'front' } } });
    assert.equal(first.labels, second.labels);
  });

  it('is found by namespace, label and address', () => {
    const record = parsed({ metadata: { labels: { app: 'web' } }, status: { podIP: '10.0.0.1' } });
    const found = Object.values(podIndexes).flatMap((index) => index(record));
    assert.deepEqual(found, ['shop', 'shop/app=web', '10.0.0.1']);
  });
});
