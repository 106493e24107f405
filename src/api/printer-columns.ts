/** What `kubectl get` shows of each kind, in its order. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly description: string;
  /** One value of the object; of a list, kubectl shows the first entry alone. */
  readonly jsonPath: string;
  /** 1: only with `kubectl get -o wide`. */
  readonly priority?: 1;
}

/** Every table ends with it, and `-o wide` goes on behind it. */
const age: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Time since the object was created.',
  jsonPath: '.metadata.creationTimestamp',
};

const ready: PrinterColumn = {
  name: 'Ready',
  type: 'string',
  description: 'Whether everything is as it was asked for.',
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
};

const reason: PrinterColumn = {
  name: 'Reason',
  type: 'string',
  description: 'Why it is ready or not, in one word; the condition says it in a sentence.',
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  priority: 1,
};

export const virtualServiceColumns: readonly PrinterColumn[] = [
  {
    name: 'VIP',
    type: 'string',
    description: 'The virtual addresses that were accepted.',
    jsonPath: '.status.addressList',
  },
  {
    name: 'Ports',
    type: 'string',
    description: 'The virtual ports that were accepted.',
    jsonPath: '.status.portList',
  },
  {
    name: 'Scheduler',
    type: 'string',
    description: 'How the kernel chooses the real server of a new connection.',
    jsonPath: '.spec.scheduler',
  },
  {
    name: 'Forwarding',
    type: 'string',
    description: 'How packets reach the real servers.',
    jsonPath: '.spec.forwarding.method',
  },
  {
    name: 'Real-Servers',
    type: 'string',
    description: 'Real servers that get new connections, of all.',
    jsonPath: '.status.realServersReady',
  },
  ready,
  age,
  reason,
  {
    name: 'Directors',
    type: 'string',
    description: 'Directors that have taken in the present form, of all.',
    jsonPath: '.status.directorsReady',
    priority: 1,
  },
  {
    name: 'Grouping',
    type: 'string',
    description: 'Whether ports balance separately or together.',
    jsonPath: '.spec.portGrouping',
    priority: 1,
  },
  {
    name: 'Persistence',
    type: 'integer',
    description: 'For how many seconds a client returns to its real server.',
    jsonPath: '.spec.persistence.timeoutSeconds',
    priority: 1,
  },
];

export const realServerColumns: readonly PrinterColumn[] = [
  {
    name: 'Virtual-Service',
    type: 'string',
    description: 'The VirtualService that these real servers stand behind.',
    jsonPath: '.spec.virtualServiceRef.name',
  },
  {
    name: 'Weight',
    type: 'integer',
    description: 'Share of each of these servers.',
    jsonPath: '.spec.weight',
  },
  {
    name: 'State',
    type: 'string',
    description: 'Enabled, or Drained to leave.',
    jsonPath: '.spec.state',
  },
  {
    name: 'Endpoints',
    type: 'string',
    description: 'Endpoints that get new connections, of all.',
    jsonPath: '.status.endpointsReady',
  },
  ready,
  age,
  reason,
  {
    name: 'Draining',
    type: 'integer',
    description: 'Endpoints that only keep the connections they have.',
    jsonPath: '.status.counts.draining',
    priority: 1,
  },
];

export const realServerSliceColumns: readonly PrinterColumn[] = [
  {
    name: 'Virtual-Service',
    type: 'string',
    description: 'The VirtualService that the endpoints stand behind.',
    jsonPath: '.spec.virtualServiceName',
  },
  {
    name: 'Real-Server',
    type: 'string',
    description: 'The RealServer that the endpoints come from.',
    jsonPath: '.spec.realServerName',
  },
  age,
];

export const addressPoolColumns: readonly PrinterColumn[] = [
  {
    name: 'Default',
    type: 'boolean',
    description: 'Whether VirtualServices without addresses take theirs from here.',
    jsonPath: '.spec.default',
  },
  {
    name: 'Addresses',
    type: 'string',
    description: 'Addresses of the pool.',
    jsonPath: '.status.counts.addresses',
  },
  {
    name: 'Allocated',
    type: 'integer',
    description: 'Addresses that VirtualServices have.',
    jsonPath: '.status.counts.allocated',
  },
  ready,
  age,
  reason,
  {
    name: 'Quarantined',
    type: 'integer',
    description: 'Addresses that wait for directors to let go of them.',
    jsonPath: '.status.counts.quarantined',
    priority: 1,
  },
];

export const directorColumns: readonly PrinterColumn[] = [
  {
    name: 'VIPs',
    type: 'integer',
    description: 'Virtual addresses that are bound on the node.',
    jsonPath: '.status.counts.vips',
  },
  {
    name: 'Services',
    type: 'integer',
    description: 'Virtual services in its kernel.',
    jsonPath: '.status.counts.services',
  },
  {
    name: 'Real-Servers',
    type: 'integer',
    description: 'Real servers in its kernel.',
    jsonPath: '.status.counts.realServers',
  },
  {
    name: 'Drains',
    type: 'integer',
    description: 'Real servers that leave and still have connections.',
    jsonPath: '.status.counts.drains',
  },
  {
    name: 'Refused',
    type: 'integer',
    description: 'Objects that it does not serve, or not as written.',
    jsonPath: '.status.counts.refused',
  },
  ready,
  age,
  reason,
  {
    name: 'Drained',
    type: 'string',
    description: 'In maintenance: whether no connection is left.',
    jsonPath: '.status.conditions[?(@.type=="Drained")].status',
    priority: 1,
  },
  {
    name: 'Version',
    type: 'string',
    description: 'Version of lvs-operator that runs there.',
    jsonPath: '.status.version',
    priority: 1,
  },
  {
    name: 'Kernel',
    type: 'string',
    description: 'Release of its kernel.',
    jsonPath: '.status.kernel.release',
    priority: 1,
  },
];
