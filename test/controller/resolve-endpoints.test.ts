import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesLabels } from '../../src/api/index.ts';
import type { RealServerResource, VirtualServiceResource } from '../../src/api/index.ts';
import type { EndpointSliceRecord, PodRecord } from '../../src/cluster/index.ts';
import type { EndpointPolicy } from '../../src/controller/endpoint-policy.ts';
import { resolveEndpoints } from '../../src/controller/resolve-endpoints.ts';
import type { Resolution } from '../../src/controller/resolve-endpoints.ts';
import { endpoint, endpointSlice, pod, realServer, virtualService } from './objects.ts';

const deadlineMs = Date.parse('2026-01-01T00:00:30Z');
const allowAll: EndpointPolicy = { judge: () => undefined };

interface Situation {
  readonly realServer?: RealServerResource;
  readonly virtualService?: VirtualServiceResource | undefined;
  readonly pods?: readonly PodRecord[];
  readonly slices?: readonly EndpointSliceRecord[];
  readonly nodes?: Readonly<Record<string, 'cordoned' | 'drained'>>;
  readonly policy?: EndpointPolicy;
  readonly isServedElsewhere?: boolean;
}

const byPods = realServer({ podSelector: { matchLabels: { app: 'web' } } });
const byService = realServer({ serviceRef: { name: 'web' } });

function resolve(situation: Situation): Resolution {
  const { pods = [], slices = [], policy = allowAll, isServedElsewhere = false } = situation;
  const { realServer: subject = byPods } = situation;
  return resolveEndpoints(subject, {
    virtualService: 'virtualService' in situation ? situation.virtualService : virtualService(),
    podsSelectedBy: (namespace, selector) =>
      pods.filter((one) => one.namespace === namespace && matchesLabels(selector, one.labels)),
    pod: (namespace, name) => pods.find((one) => one.namespace === namespace && one.name === name),
    podsWithAddress: (ip) => pods.filter(({ ips }) => ips.includes(ip)),
    endpointSlicesOf: (namespace, serviceName) =>
      slices.filter((one) => one.namespace === namespace && one.serviceName === serviceName),
    node: (name) => {
      const state = situation.nodes?.[name];
      return { isUnschedulable: state === 'cordoned', isDraining: state === 'drained' };
    },
    policy,
    isServedElsewhere: () => isServedElsewhere,
  });
}

/** `10.0.0.1:8080 Draining PodNotReady until … on pod` as far as each applies. */
function told({ endpoints, refused, absence }: Resolution): string[] {
  return [
    ...endpoints.map((one) =>
      [
        `${one.address}${one.portsKey}`,
        one.phase,
        one.reason,
        one.deadlineMs === undefined ? undefined : `until ${new Date(one.deadlineMs).toISOString()}`,
        one.pod === undefined ? 'static' : undefined,
      ]
        .filter((word) => word !== undefined)
        .join(' '),
    ),
    ...refused.map(({ address, reason }) => `${address} refused ${reason}`),
    ...(absence === undefined ? [] : [`none: ${absence.reason}`]),
  ];
}

interface Scenario extends Situation {
  readonly name: string;
  readonly told: readonly string[];
}

function check(scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) {
    it(scenario.name, () => assert.deepEqual(told(resolve(scenario)), scenario.told));
  }
}

const until = 'until 2026-01-01T00:00:30.000Z';
const dualStack = virtualService({ addressFamilies: ['IPv4', 'IPv6'] });
const drainsOnCordon = virtualService({ drain: { onCordon: true } });
const other = pod('other', { ips: ['10.0.0.2'] });

describe('endpoints from pods', () => {
  check([
    { name: 'running and ready: it serves', pods: [pod('a')], told: ['10.0.0.1 Serving'] },
    {
      name: 'not ready: live connections stay',
      pods: [pod('a', { isReady: false }), other],
      told: ['10.0.0.1 Draining PodNotReady', '10.0.0.2 Serving'],
    },
    {
      name: 'pending with an address: not ready yet',
      pods: [pod('a', { phase: 'Pending', isReady: false })],
      told: ['10.0.0.1 Draining PodNotReady'],
    },
    {
      name: 'of an unknown phase: nobody knows whether it is ready',
      pods: [pod('a', { phase: 'Unknown' })],
      told: ['10.0.0.1 Draining PodNotReady'],
    },
    {
      name: 'ending and ready: it drains until kubelet kills it',
      pods: [pod('a', { deletionDeadlineMs: deadlineMs }), other],
      told: [`10.0.0.1 Draining PodTerminating ${until}`, '10.0.0.2 Serving'],
    },
    {
      name: 'ending and not ready: it drains until kubelet kills it',
      pods: [pod('a', { deletionDeadlineMs: deadlineMs, isReady: false })],
      told: [`10.0.0.1 Draining PodTerminating ${until}`],
    },
    {
      name: 'all ending, some ready: these serve as the last resort',
      pods: [
        pod('a', { deletionDeadlineMs: deadlineMs }),
        pod('b', { ips: ['10.0.0.2'], deletionDeadlineMs: deadlineMs, isReady: false }),
      ],
      told: ['10.0.0.1 Serving TerminatingButReady', `10.0.0.2 Draining PodTerminating ${until}`],
    },
    {
      name: 'all ending, and another RealServer serves: no last resort is needed',
      pods: [pod('a', { deletionDeadlineMs: deadlineMs })],
      isServedElsewhere: true,
      told: [`10.0.0.1 Draining PodTerminating ${until}`],
    },
    {
      name: 'an ending one and one that is not ready: the ending one serves',
      pods: [pod('a', { deletionDeadlineMs: deadlineMs }), pod('b', { ips: ['10.0.0.2'], isReady: false })],
      told: ['10.0.0.1 Serving TerminatingButReady', '10.0.0.2 Draining PodNotReady'],
    },
    {
      name: 'on a node that a person drains: no new connections, and no last resort',
      pods: [pod('a')],
      nodes: { 'node-1': 'drained' },
      told: ['10.0.0.1 Draining NodeDrained'],
    },
    {
      name: 'ending, on a node that a person drains: until kubelet kills it, and no last resort',
      pods: [pod('a', { deletionDeadlineMs: deadlineMs })],
      nodes: { 'node-1': 'drained' },
      told: [`10.0.0.1 Draining NodeDrained ${until}`],
    },
    {
      name: 'on a cordoned node: it serves, unless the VirtualService says otherwise',
      pods: [pod('a')],
      nodes: { 'node-1': 'cordoned' },
      told: ['10.0.0.1 Serving'],
    },
    {
      name: 'on a cordoned node, by choice: it drains while others serve',
      virtualService: drainsOnCordon,
      pods: [pod('a'), pod('b', { ips: ['10.0.0.2'], nodeName: 'node-2' })],
      nodes: { 'node-1': 'cordoned' },
      told: ['10.0.0.1 Draining NodeCordoned', '10.0.0.2 Serving'],
    },
    {
      name: 'all on cordoned nodes, by choice: better these than nobody',
      virtualService: drainsOnCordon,
      pods: [pod('a')],
      nodes: { 'node-1': 'cordoned' },
      told: ['10.0.0.1 Serving CordonedButReady'],
    },
    { name: 'ended well: gone', pods: [pod('a', { phase: 'Succeeded' })], told: ['none: NoMatchingPods'] },
    { name: 'failed: gone', pods: [pod('a', { phase: 'Failed' }), other], told: ['10.0.0.2 Serving'] },
    {
      name: 'without an address: not there yet',
      pods: [pod('a', { ips: [] })],
      told: ['none: NoMatchingPods'],
    },
    { name: 'no pod at all', told: ['none: NoMatchingPods'] },
    {
      name: 'of another namespace: never',
      pods: [pod('a', { namespace: 'other' })],
      told: ['none: NoMatchingPods'],
    },
    {
      name: 'with other labels: not chosen',
      pods: [pod('a', { labels: { app: 'db' } })],
      told: ['none: NoMatchingPods'],
    },
    {
      name: 'an empty selector chooses every pod of the namespace',
      realServer: realServer({ podSelector: {} }),
      pods: [pod('a', { labels: { app: 'db' } }), pod('b', { ips: ['10.0.0.2'], labels: {} })],
      told: ['10.0.0.1 Serving', '10.0.0.2 Serving'],
    },
    {
      name: 'two families for a VirtualService with two',
      virtualService: dualStack,
      pods: [pod('a', { ips: ['10.0.0.1', '2001:db8::1'] })],
      told: ['10.0.0.1 Serving', '2001:db8::1 Serving'],
    },
    {
      name: 'only the family of the VirtualService',
      virtualService: virtualService({ addressFamilies: ['IPv6'] }),
      pods: [pod('a', { ips: ['10.0.0.1', '2001:db8::1'] })],
      told: ['2001:db8::1 Serving'],
    },
    {
      name: 'the families of the accepted addresses, not of what is asked for',
      virtualService: virtualService(
        { addressFamilies: ['IPv4', 'IPv6'] },
        { addresses: [{ ip: '192.0.2.1', since: '2026-01-01T00:00:00Z' }] },
      ),
      pods: [pod('a', { ips: ['10.0.0.1', '2001:db8::1'] })],
      told: ['10.0.0.1 Serving'],
    },
    {
      name: 'a tunnel takes the other family where there is no fitting one',
      virtualService: virtualService({ forwarding: { method: 'TUN' }, addressFamilies: ['IPv6'] }),
      pods: [pod('a')],
      told: ['10.0.0.1 Serving'],
    },
    {
      name: 'no VirtualService yet: the primary address',
      virtualService: undefined,
      pods: [pod('a', { ips: ['2001:db8::1', '10.0.0.1'] })],
      told: ['2001:db8::1 Serving'],
    },
    {
      name: 'ports of the RealServer',
      realServer: realServer({ podSelector: {}, ports: [{ port: 8080 }] }),
      pods: [pod('a')],
      told: ['10.0.0.1:8080 Serving'],
    },
  ]);
});

describe('endpoints from EndpointSlices', () => {
  const named = [
    { name: 'http', protocol: 'TCP', port: 8080 },
    { name: 'metrics', protocol: 'TCP', port: 9090 },
  ];
  const twoPorts = virtualService({
    ports: [
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
    ],
  });
  const service = (slices: readonly EndpointSliceRecord[], rest: Situation = {}): Situation => ({
    realServer: byService,
    pods: [pod('a')],
    slices,
    ...rest,
  });
  const states = (conditions: object, rest: object = {}): Situation =>
    service(
      [
        endpointSlice([
          endpoint('10.0.0.1', { pod: 'a', ...conditions }),
          endpoint('10.0.0.9', { pod: 'nine', ...rest }),
        ]),
      ],
      { pods: [pod('a'), pod('nine', { ips: ['10.0.0.9'] })] },
    );
  const nine = '10.0.0.9:8080 Serving';
  check([
    { name: 'ready: it serves', ...states({}), told: ['10.0.0.1:8080 Serving', nine] },
    {
      name: 'serving and terminating: it drains',
      ...states({ isReady: false, isServing: true, isTerminating: true }),
      told: ['10.0.0.1:8080 Draining PodTerminating', nine],
    },
    {
      name: 'terminating and not serving: it drains',
      ...states({ isReady: false, isServing: false, isTerminating: true }),
      told: ['10.0.0.1:8080 Draining PodTerminating', nine],
    },
    {
      name: 'not ready, not terminating: it drains',
      ...states({ isReady: false }),
      told: ['10.0.0.1:8080 Draining EndpointNotReady', nine],
    },
    {
      name: 'all terminating: those that serve are the last resort (KEP-1669)',
      ...states(
        { isReady: false, isServing: true, isTerminating: true },
        { isReady: false, isServing: false, isTerminating: true },
      ),
      told: ['10.0.0.1:8080 Serving TerminatingButReady', '10.0.0.9:8080 Draining PodTerminating'],
    },
    {
      name: 'all terminating, and another RealServer serves',
      ...states(
        { isReady: false, isServing: true, isTerminating: true },
        { isReady: false, isServing: false, isTerminating: true },
      ),
      isServedElsewhere: true,
      told: ['10.0.0.1:8080 Draining PodTerminating', '10.0.0.9:8080 Draining PodTerminating'],
    },
    {
      name: 'the pod is known to end before its slice says so',
      ...service([endpointSlice([endpoint('10.0.0.1', { pod: 'a' })])], {
        pods: [pod('a', { deletionDeadlineMs: deadlineMs })],
        isServedElsewhere: true,
      }),
      told: [`10.0.0.1:8080 Draining PodTerminating ${until}`],
    },
    {
      name: 'published although its pod is not ready (publishNotReadyAddresses)',
      ...service([endpointSlice([endpoint('10.0.0.1', { pod: 'a' })])], {
        pods: [pod('a', { isReady: false })],
      }),
      told: ['10.0.0.1:8080 Serving'],
    },
    {
      name: 'its pod has ended',
      ...service([endpointSlice([endpoint('10.0.0.1', { pod: 'a' })])], {
        pods: [pod('a', { phase: 'Failed' })],
      }),
      told: ['none: NoEndpoints'],
    },
    {
      name: 'its pod is not known',
      ...service([endpointSlice([endpoint('10.0.0.1', { pod: 'a' })])], { pods: [] }),
      told: ['10.0.0.1 refused PodNotConfirmed', 'none: NoEndpoints'],
    },
    {
      name: 'its pod is a namesake',
      ...service([endpointSlice([endpoint('10.0.0.1', { pod: 'a', uid: 'another' })])]),
      told: ['10.0.0.1 refused PodNotConfirmed', 'none: NoEndpoints'],
    },
    {
      name: 'it does not say which pod of that name',
      ...service([
        endpointSlice([
          endpoint('10.0.0.1', {
            target: { kind: 'Pod', namespace: 'shop', name: 'a', uid: undefined },
          }),
        ]),
      ]),
      told: ['10.0.0.1 refused PodNotConfirmed', 'none: NoEndpoints'],
    },
    {
      name: 'its pod has another address',
      ...service([endpointSlice([endpoint('10.0.0.66', { pod: 'a' })])]),
      told: ['10.0.0.66 refused PodNotConfirmed', 'none: NoEndpoints'],
    },
    {
      name: 'its pod is of another namespace',
      ...service(
        [
          endpointSlice([
            endpoint('10.0.0.7', {
              target: { kind: 'Pod', namespace: 'bank', name: 'vault', uid: 'uid-vault' },
            }),
          ]),
        ],
        { pods: [pod('vault', { namespace: 'bank', ips: ['10.0.0.7'] })] },
      ),
      told: ['10.0.0.7 refused ForeignPod', 'none: NoEndpoints'],
    },
    {
      name: 'without a pod: a static address',
      ...service([endpointSlice([endpoint('192.0.2.80')])]),
      told: ['192.0.2.80:8080 Serving static'],
    },
    {
      name: 'behind something else than a pod: a static address',
      ...service([
        endpointSlice([
          endpoint('192.0.2.80', {
            target: { kind: 'VirtualMachine', namespace: 'shop', name: 'vm', uid: '1' },
          }),
        ]),
      ]),
      told: ['192.0.2.80:8080 Serving static'],
    },
    {
      name: 'without a pod, on the address of a pod of another namespace',
      ...service([endpointSlice([endpoint('10.0.0.7')])], {
        pods: [pod('vault', { namespace: 'bank', ips: ['10.0.0.7'] })],
      }),
      told: ['10.0.0.7 refused ForeignPodAddress', 'none: NoEndpoints'],
    },
    {
      name: 'twice, with two phases: serving wins',
      ...service([
        endpointSlice([endpoint('10.0.0.1', { pod: 'a', isReady: false })], { name: 'web-1' }),
        endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], { name: 'web-2' }),
      ]),
      told: ['10.0.0.1:8080 Serving'],
    },
    {
      name: 'twice, and not ready in the second: serving wins all the same',
      ...service([
        endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], { name: 'web-1' }),
        endpointSlice([endpoint('10.0.0.1', { pod: 'a', isReady: false })], { name: 'web-2' }),
      ]),
      told: ['10.0.0.1:8080 Serving'],
    },
    {
      name: 'slices of another Service are not looked at',
      ...service([endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], { serviceName: 'db' })]),
      told: ['none: ServiceNotFound'],
    },
    { name: 'no slice at all', ...service([]), told: ['none: ServiceNotFound'] },
    { name: 'a slice without endpoints', ...service([endpointSlice([])]), told: ['none: NoEndpoints'] },
    {
      name: 'host names',
      ...service([endpointSlice([], { addressType: 'FQDN' })]),
      told: ['none: HostNames'],
    },
    {
      name: 'ports by name, and only those of the VirtualService',
      ...service([endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], { ports: named })], {
        virtualService: twoPorts,
      }),
      told: ['10.0.0.1http:8080 Serving'],
    },
    {
      name: 'no port in common',
      ...service(
        [
          endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], {
            ports: [{ name: 'metrics', protocol: 'TCP', port: 9090 }],
          }),
        ],
        { virtualService: twoPorts },
      ),
      told: ['10.0.0.1 refused PortNotFound', 'none: NoEndpoints'],
    },
    {
      name: 'a port of another protocol is another port',
      ...service([
        endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], {
          ports: [{ name: '', protocol: 'UDP', port: 53 }],
        }),
      ]),
      told: ['10.0.0.1 refused PortNotFound', 'none: NoEndpoints'],
    },
    {
      name: 'the only port joins the only virtual port, whatever their names',
      ...service([
        endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], {
          ports: [{ name: 'web', protocol: 'TCP', port: 8080 }],
        }),
      ]),
      told: ['10.0.0.1:8080 Serving'],
    },
    {
      name: 'every port: the virtual one',
      ...service([
        endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], {
          ports: [{ name: '', protocol: 'TCP', port: undefined }],
        }),
      ]),
      told: ['10.0.0.1:80 Serving'],
    },
    {
      name: 'ports of the RealServer win',
      ...service([endpointSlice([endpoint('10.0.0.1', { pod: 'a' })])], {
        realServer: realServer({ serviceRef: { name: 'web' }, ports: [{ port: 9000 }] }),
      }),
      told: ['10.0.0.1:9000 Serving'],
    },
    {
      name: 'pods of one Service that listen on different ports',
      ...service(
        [
          endpointSlice([endpoint('10.0.0.1', { pod: 'a' })], { name: 'web-1' }),
          endpointSlice([endpoint('10.0.0.2', { pod: 'other' })], {
            name: 'web-2',
            ports: [{ name: '', protocol: 'TCP', port: 9090 }],
          }),
        ],
        { pods: [pod('a'), other] },
      ),
      told: ['10.0.0.1:8080 Serving', '10.0.0.2:9090 Serving'],
    },
    {
      name: 'each family has its slice, and both are needed',
      ...service(
        [
          endpointSlice([endpoint('10.0.0.1', { pod: 'a' })]),
          endpointSlice([endpoint('2001:db8::1', { pod: 'a' })], { name: 'web-6', addressType: 'IPv6' }),
        ],
        { pods: [pod('a', { ips: ['10.0.0.1', '2001:db8::1'] })], virtualService: dualStack },
      ),
      told: ['10.0.0.1:8080 Serving', '2001:db8::1:8080 Serving'],
    },
    {
      name: 'each family has its slice, and one is needed',
      ...service(
        [
          endpointSlice([endpoint('10.0.0.1', { pod: 'a' })]),
          endpointSlice([endpoint('2001:db8::1', { pod: 'a' })], { name: 'web-6', addressType: 'IPv6' }),
        ],
        { pods: [pod('a', { ips: ['10.0.0.1', '2001:db8::1'] })] },
      ),
      told: ['10.0.0.1:8080 Serving'],
    },
  ]);
});

describe('static endpoints', () => {
  const fixed = realServer({ addresses: ['192.0.2.9', '192.0.2.8'] });
  const refuseStatic: EndpointPolicy = {
    judge: ({ address, isPod }) =>
      isPod || address === '192.0.2.8' ? undefined : { reason: 'RealServerNotAllowed', why: 'is nowhere' },
  };
  check([
    {
      name: 'all addresses serve, in a stable order',
      realServer: fixed,
      told: ['192.0.2.8 Serving static', '192.0.2.9 Serving static'],
    },
    {
      name: 'one that is refused does not take the other with it',
      realServer: fixed,
      policy: refuseStatic,
      told: ['192.0.2.8 Serving static', '192.0.2.9 refused RealServerNotAllowed'],
    },
    {
      name: 'the address of a pod of another namespace is refused',
      realServer: fixed,
      pods: [pod('vault', { namespace: 'bank', ips: ['192.0.2.9'] })],
      told: ['192.0.2.8 Serving static', '192.0.2.9 refused ForeignPodAddress'],
    },
    {
      name: 'the address of a pod on the host network is that of its node, and nobody else’s',
      realServer: fixed,
      pods: [pod('proxy', { namespace: 'kube-system', ips: ['192.0.2.9'], isHostNetwork: true })],
      told: ['192.0.2.8 Serving static', '192.0.2.9 Serving static'],
    },
    {
      name: 'a pod is judged as one',
      policy: refuseStatic,
      pods: [pod('a')],
      told: ['10.0.0.1 Serving'],
    },
  ]);
});

describe('any order', () => {
  it('gives the same endpoints in the same order', () => {
    const pods = Array.from({ length: 30 }, (_, index) => pod(`p${index}`, { ips: [`10.0.0.${index}`] }));
    assert.deepEqual(resolve({ pods }), resolve({ pods: pods.toReversed() }));
  });
});
