/** The kinds that every API server has, as far as the operator and its suites touch them. */
import { accessTypes } from './built-in-access.ts';
import { age, builtIn, column, intOrString, wordOr } from './built-in-type.ts';
import { workloadTypes } from './built-in-workloads.ts';
import { isMapping } from './objects.ts';
import type { KubeObject, Mapping } from './objects.ts';
import type { ResourceType, StorageView } from './resource-type.ts';
import { anything, integer, list, struct, text, textMap, texts, time, yesNo } from './schema.ts';
import type { Schema } from './schema.ts';

/** A condition as nodes and pods have it. */
const condition = struct(
  {
    type: text,
    status: text,
    reason: text,
    message: text,
    lastTransitionTime: { ...time, nullable: true },
    lastProbeTime: { ...time, nullable: true },
    lastHeartbeatTime: { ...time, nullable: true },
    observedGeneration: integer,
  },
  'type',
  'status',
);
const objectReference = struct({
  apiVersion: text,
  kind: text,
  namespace: text,
  name: text,
  uid: text,
  resourceVersion: text,
  fieldPath: text,
});
/** The rest of what pods and nodes say is no business of ours. */
const open = (schema: Schema): Schema => ({ ...schema, 'x-kubernetes-preserve-unknown-fields': true });

const pod = struct({
  spec: open(
    struct(
      {
        nodeName: text,
        hostNetwork: yesNo,
        terminationGracePeriodSeconds: { ...integer, default: 30 },
        restartPolicy: wordOr('Always', 'OnFailure', 'Never'),
        containers: {
          ...list(
            open(
              struct(
                {
                  name: text,
                  image: text,
                  ports: list(
                    struct(
                      {
                        name: text,
                        containerPort: { ...integer, minimum: 1, maximum: 65535 },
                        hostPort: integer,
                        hostIP: text,
                        protocol: wordOr('TCP', 'UDP', 'SCTP'),
                      },
                      'containerPort',
                    ),
                    'containerPort',
                    'protocol',
                  ),
                },
                'name',
                'image',
              ),
            ),
            'name',
          ),
          minItems: 1,
        },
      },
      'containers',
    ),
  ),
  status: open(
    struct({
      phase: text,
      podIP: text,
      podIPs: list(struct({ ip: text }, 'ip'), 'ip'),
      hostIP: text,
      conditions: list(condition, 'type'),
    }),
  ),
});

const node = struct({
  spec: open(
    struct({ podCIDR: text, podCIDRs: { ...texts, 'x-kubernetes-list-type': 'set' }, unschedulable: yesNo }),
  ),
  status: open(
    struct({
      addresses: list(struct({ type: text, address: text }, 'type', 'address')),
      conditions: list(condition, 'type'),
    }),
  ),
});

const service = struct({
  spec: open(
    struct({
      type: wordOr('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
      clusterIP: text,
      clusterIPs: texts,
      selector: textMap,
      ports: list(
        struct(
          {
            name: text,
            protocol: wordOr('TCP', 'UDP', 'SCTP'),
            port: { ...integer, minimum: 1, maximum: 65535 },
            targetPort: intOrString,
            nodePort: integer,
            appProtocol: text,
          },
          'port',
        ),
        'port',
        'protocol',
      ),
    }),
  ),
  status: open(struct({ conditions: list(condition, 'type') })),
});

const endpointSlice = struct(
  {
    addressType: { type: 'string', enum: ['IPv4', 'IPv6', 'FQDN'] },
    endpoints: {
      ...list(
        struct(
          {
            addresses: { ...texts, 'x-kubernetes-list-type': 'set', minItems: 1, maxItems: 100 },
            conditions: struct({ ready: yesNo, serving: yesNo, terminating: yesNo }),
            hostname: text,
            targetRef: objectReference,
            nodeName: text,
            zone: text,
            hints: anything,
            deprecatedTopology: textMap,
          },
          'addresses',
        ),
      ),
      maxItems: 1000,
    },
    ports: list(
      struct({ name: text, protocol: wordOr('TCP', 'UDP', 'SCTP'), port: integer, appProtocol: text }),
    ),
  },
  'addressType',
  'endpoints',
);

const microTime = time;
const lease = struct({
  spec: struct({
    holderIdentity: text,
    leaseDurationSeconds: { ...integer, minimum: 1 },
    acquireTime: { ...microTime, nullable: true },
    renewTime: { ...microTime, nullable: true },
    leaseTransitions: { ...integer, minimum: 0 },
    strategy: text,
    preferredHolder: text,
  }),
});

const source = struct({ component: text, host: text });
const series = struct({ count: integer, lastObservedTime: microTime });
const event = struct({
  eventTime: { ...microTime, nullable: true },
  series,
  reportingController: text,
  reportingInstance: text,
  action: text,
  reason: text,
  regarding: objectReference,
  related: objectReference,
  note: text,
  type: text,
  deprecatedSource: source,
  deprecatedFirstTimestamp: { ...time, nullable: true },
  deprecatedLastTimestamp: { ...time, nullable: true },
  deprecatedCount: integer,
});
const coreEvent = struct(
  {
    involvedObject: objectReference,
    reason: text,
    message: text,
    source,
    firstTimestamp: { ...time, nullable: true },
    lastTimestamp: { ...time, nullable: true },
    count: integer,
    type: text,
    eventTime: { ...microTime, nullable: true },
    series,
    action: text,
    related: objectReference,
    reportingComponent: text,
    reportingInstance: text,
  },
  'involvedObject',
);

/** Names of one field in events.k8s.io/v1 and in the core group. */
const eventFields = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
] as const;

function renamed(object: KubeObject, apiVersion: string, names: ReadonlyMap<string, string>): KubeObject {
  const { kind, metadata } = object;
  const fields = Object.entries(object).map(([field, value]) => [names.get(field) ?? field, value] as const);
  return { ...Object.fromEntries(fields), apiVersion, kind, metadata };
}

const coreEventView: StorageView = {
  of: 'events.k8s.io/events',
  toStored: (object) =>
    renamed(object, 'events.k8s.io/v1', new Map(eventFields.map(([own, core]) => [core, own]))),
  fromStored: (object) => renamed(object, 'v1', new Map(eventFields)),
};

export const builtInTypes: readonly ResourceType[] = [
  builtIn('Namespace', 'namespaces', struct({ spec: anything, status: anything }), {
    shortNames: ['ns'],
    isClusterWide: true,
    hasStatus: true,
    columns: [column('Status', '.status.phase'), age],
    selectableFields: ['.status.phase'],
  }),
  builtIn('Pod', 'pods', pod, {
    shortNames: ['po'],
    hasStatus: true,
    columns: [column('Status', '.status.phase'), column('IP', '.status.podIP'), age],
    selectableFields: ['.spec.nodeName', '.status.phase', '.status.podIP', '.spec.restartPolicy'],
  }),
  builtIn('Node', 'nodes', node, {
    shortNames: ['no'],
    isClusterWide: true,
    hasStatus: true,
    selectableFields: ['.spec.unschedulable'],
  }),
  builtIn('Service', 'services', service, {
    shortNames: ['svc'],
    hasStatus: true,
    columns: [column('Type', '.spec.type'), column('Cluster-IP', '.spec.clusterIP'), age],
    selectableFields: ['.spec.type', '.spec.clusterIP'],
  }),
  builtIn('ConfigMap', 'configmaps', struct({ data: textMap, binaryData: textMap, immutable: yesNo }), {
    shortNames: ['cm'],
  }),
  builtIn(
    'Secret',
    'secrets',
    struct({ data: textMap, stringData: textMap, type: { ...text, default: 'Opaque' }, immutable: yesNo }),
    { selectableFields: ['.type'] },
  ),
  builtIn('Event', 'events', coreEvent, {
    shortNames: ['ev'],
    columns: [
      column('Type', '.type'),
      column('Reason', '.reason'),
      column('Object', '.involvedObject.name'),
      column('Message', '.message'),
    ],
    selectableFields: [
      '.reason',
      '.type',
      '.reportingComponent',
      ...['kind', 'name', 'namespace', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
        (field) => `.involvedObject.${field}`,
      ),
    ],
    storage: coreEventView,
  }),
  builtIn('Event', 'events', event, {
    group: 'events.k8s.io',
    shortNames: ['ev'],
    columns: [
      column('Type', '.type'),
      column('Reason', '.reason'),
      column('Object', '.regarding.name'),
      column('Message', '.note'),
    ],
    selectableFields: [
      '.regarding.kind',
      '.regarding.name',
      '.regarding.namespace',
      '.regarding.uid',
      '.reason',
    ],
  }),
  builtIn('EndpointSlice', 'endpointslices', endpointSlice, {
    group: 'discovery.k8s.io',
    columns: [column('AddressType', '.addressType'), age],
  }),
  builtIn('ServiceCIDR', 'servicecidrs', struct({ spec: struct({ cidrs: texts }), status: anything }), {
    group: 'networking.k8s.io',
    isClusterWide: true,
    hasStatus: true,
    columns: [column('CIDRs', '.spec.cidrs'), age],
  }),
  builtIn('Lease', 'leases', lease, {
    group: 'coordination.k8s.io',
    columns: [column('Holder', '.spec.holderIdentity'), age],
    isConditional: true,
  }),
  ...accessTypes,
  ...workloadTypes,
];

/** What the server itself writes into a new object of a built-in kind. */
export function onCreate(type: ResourceType, object: KubeObject): KubeObject {
  if (type.group !== '') return object;
  const { metadata } = object;
  switch (type.plural) {
    case 'namespaces':
      return {
        ...object,
        metadata: {
          ...metadata,
          labels: { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name },
        },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      };
    case 'pods':
      return { ...object, status: { phase: 'Pending' } };
    case 'secrets':
      return withStringData(object);
    default:
      return object;
  }
}

function withStringData(object: KubeObject): KubeObject {
  const { stringData, data, ...rest } = object;
  if (!isMapping(stringData)) return object;
  const encoded = Object.entries(stringData).map(
    ([key, value]) => [key, Buffer.from(String(value)).toString('base64')] as const,
  );
  const merged: Mapping = { ...(isMapping(data) ? data : {}), ...Object.fromEntries(encoded) };
  const { apiVersion, kind, metadata } = object;
  return { ...rest, apiVersion, kind, metadata, data: merged };
}
