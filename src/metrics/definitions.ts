import type { MetricDefinitions, MetricGroup } from './definition.ts';
import { healthMetrics } from './health-definitions.ts';
import { perRealServer, perService } from './label-sets.ts';
import { weightMetrics } from './weight-definitions.ts';

/** Seconds from a tenth of a millisecond on: a pass that finds nothing to do takes less than one. */
const passBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const waitBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300];
const lagBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** The process itself. Names without `lvs_` are those of Prometheus' own libraries. */
export const processMetrics = {
  lvs_operator_build_info: {
    type: 'gauge',
    help: 'Always 1; the labels say which version runs, on which Node.js.',
    labels: ['version', 'nodejs'],
  },
  lvs_operator_event_loop_lag_seconds: {
    type: 'histogram',
    help: 'How late a timer came that is due twice a second: what everything in the process waits at that moment.',
    buckets: lagBuckets,
  },
  lvs_operator_endpoint_answers_total: {
    type: 'counter',
    help: 'Answers of the HTTP endpoint, by path and status; paths that do not exist are one, "other".',
    labels: ['path', 'code'],
  },
  process_start_time_seconds: { type: 'gauge', help: 'When the process began, in seconds since 1970.' },
  process_cpu_user_seconds_total: { type: 'counter', help: 'Processor time of the process itself.' },
  process_cpu_system_seconds_total: {
    type: 'counter',
    help: 'Processor time of the kernel on behalf of the process.',
  },
  process_resident_memory_bytes: { type: 'gauge', help: 'Memory of the process that is in RAM.' },
  process_open_fds: { type: 'gauge', help: 'Open file descriptors.' },
  nodejs_heap_size_used_bytes: { type: 'gauge', help: 'JavaScript heap in use.' },
  nodejs_heap_size_total_bytes: { type: 'gauge', help: 'JavaScript heap taken from the system.' },
  nodejs_external_memory_bytes: {
    type: 'gauge',
    help: 'Memory outside the heap that JavaScript objects hold.',
  },
} as const satisfies MetricDefinitions;

/** The conversation with the API server. */
export const clusterMetrics = {
  lvs_operator_api_requests_total: {
    type: 'counter',
    help: 'Requests to the API server, by verb and status; code "error" is an answer that never came.',
    labels: ['verb', 'code'],
    seeds: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'WATCH'].map((verb) => ({ verb, code: 'error' })),
  },
  lvs_operator_api_request_duration_seconds: {
    type: 'histogram',
    help: 'From a request to its whole answer, or to the first byte of a watch.',
    labels: ['verb'],
    buckets: requestBuckets,
  },
  lvs_operator_watch_synced: {
    type: 'gauge',
    help: '1 when the objects of that kind were read completely at least once.',
    labels: ['watch'],
  },
  lvs_operator_watch_objects: {
    type: 'gauge',
    help: 'Objects that are known of that kind.',
    labels: ['watch'],
  },
  lvs_operator_watch_unreadable_objects: {
    type: 'gauge',
    help: 'Objects whose newest form cannot be read; the last good one stands.',
    labels: ['watch'],
  },
  lvs_operator_watch_held_absences: {
    type: 'gauge',
    help: 'Objects that the last list lacked and that stay until a second list agrees.',
    labels: ['watch'],
  },
  lvs_operator_watch_stale_seconds: {
    type: 'gauge',
    help: 'For how long the resource cannot be followed; what is known of it is at least that old. 0: followed.',
    labels: ['watch'],
  },
  lvs_operator_watch_silence_seconds: {
    type: 'gauge',
    help: 'Time since anything came by a list or watch of that kind. A quiet one has a bookmark a minute.',
    labels: ['watch'],
  },
  lvs_operator_watch_lists_total: {
    type: 'counter',
    help: 'Complete lists of that kind. One is the start; each further one means that a watch could not be resumed.',
    labels: ['watch'],
  },
  lvs_operator_watch_starts_total: {
    type: 'counter',
    help: 'Watches begun; the API server ends each after some minutes.',
    labels: ['watch'],
  },
  lvs_operator_watch_errors_total: {
    type: 'counter',
    help: 'Lists and watches that failed.',
    labels: ['watch'],
  },
  lvs_operator_queue_depth: {
    type: 'gauge',
    help: 'Keys that wait for work, those that wait for a later time among them.',
    labels: ['queue'],
  },
  lvs_operator_queue_running: { type: 'gauge', help: 'Keys that are worked on now.', labels: ['queue'] },
  lvs_operator_queue_adds_total: {
    type: 'counter',
    help: 'Times that a key was added or hurried.',
    labels: ['queue'],
  },
  lvs_operator_queue_retries_total: {
    type: 'counter',
    help: 'Times that work on a key failed and is tried again later.',
    labels: ['queue'],
  },
  lvs_operator_queue_wait_seconds: {
    type: 'histogram',
    help: 'From when a key was due to when work on it began.',
    labels: ['queue'],
    buckets: waitBuckets,
  },
  lvs_operator_queue_work_seconds: {
    type: 'histogram',
    help: 'How long the work on a key took.',
    labels: ['queue'],
    buckets: waitBuckets,
  },
} as const satisfies MetricDefinitions;

/** A director: its loop, its host, and the traffic that its kernel carries. */
export const directorMetrics = {
  lvs_director_ready: {
    type: 'gauge',
    help: '1 when a pass with the whole goal has ended well since the start; what /readyz says.',
  },
  lvs_director_passes_total: {
    type: 'counter',
    help: 'Passes of the loop that compares goal and kernel.',
    labels: ['outcome'],
    seeds: [{ outcome: 'done' }, { outcome: 'failed' }],
  },
  lvs_director_pass_duration_seconds: {
    type: 'histogram',
    help: 'How long a pass took, waiting for other work of the process included.',
    buckets: passBuckets,
  },
  lvs_director_last_pass_timestamp_seconds: {
    type: 'gauge',
    help: 'When a pass last ended, in seconds since 1970.',
  },
  lvs_director_changes_total: {
    type: 'counter',
    help: 'Changes of the host, by what was changed and whether the kernel took it.',
    labels: ['change', 'outcome'],
    seeds: [
      'addVirtualService',
      'editVirtualService',
      'deleteVirtualService',
      'addRealServer',
      'editRealServer',
      'deleteRealServer',
      'bindVip',
      'releaseVip',
      'setPacketRules',
      'setSysctl',
    ].flatMap((change) => [
      { change, outcome: 'done' },
      { change, outcome: 'refused' },
    ]),
  },
  lvs_director_drift_repairs_total: {
    type: 'counter',
    help: 'Changes that undid what somebody else had done to entries of ours.',
  },
  lvs_director_netlink_requests_total: {
    type: 'counter',
    help: 'Requests to the kernel for the IPVS table; one edit is one, and so is the dump of one service.',
  },
  lvs_director_netlink_errors_total: {
    type: 'counter',
    help: 'Such requests that the kernel refused or that went wrong, by error code (docs/errors.md).',
    labels: ['code'],
    seeds: [
      'LVS_KERNEL_REFUSED',
      'LVS_KERNEL_PERMISSION',
      'LVS_NETLINK_INTERRUPTED',
      'LVS_NETLINK_NO_ANSWER',
      'LVS_NETLINK_OVERRUN',
    ].map((code) => ({ code })),
  },
  lvs_director_table_reads_total: {
    type: 'counter',
    help: 'Complete readings of the kernel table: every half minute, and when it was not what it was left as.',
  },
  lvs_director_ledger_writes_total: { type: 'counter', help: 'Writes of the ledger to disk.' },
  lvs_director_ledger_write_errors_total: {
    type: 'counter',
    help: 'Writes of the ledger that failed; drains would not survive a restart then.',
  },
  lvs_director_condition: {
    type: 'gauge',
    help: 'The conditions of the status: 1 True, 0 False. ForeignHands and DirectorIsolated are those that are good at 0.',
    labels: ['type'],
  },
  lvs_director_virtual_services: { type: 'gauge', help: 'VirtualServices that are served here.' },
  lvs_director_services: {
    type: 'gauge',
    help: 'Virtual services of ours that the kernel should have: one per address and port, or per group of ports.',
  },
  lvs_director_real_servers: {
    type: 'gauge',
    help: 'Real servers that the kernel should have, over all services.',
  },
  lvs_director_foreign_services: {
    type: 'gauge',
    help: 'Virtual services of other programs, which are left alone.',
  },
  lvs_director_vips: { type: 'gauge', help: 'Virtual addresses that should be bound here.' },
  lvs_director_drains: {
    type: 'gauge',
    help: 'Real servers that leave and still have connections.',
    labels: ['reason'],
    seeds: [],
  },
  lvs_director_held_removals: {
    type: 'gauge',
    help: 'Entries whose removal waits for a second complete list, because so many would go at once.',
  },
  lvs_director_problems: {
    type: 'gauge',
    help: 'Objects, or parts of them, that are refused (error) or served otherwise than somebody may expect (warning).',
    labels: ['severity'],
  },
  lvs_director_connection_table_buckets: {
    type: 'gauge',
    help: "Buckets of the kernel's connection table; many more connections than that make it slow.",
  },
  lvs_director_virtual_service_connections_total: {
    type: 'counter',
    help: 'Connections and flows scheduled by the virtual service.',
    labels: perService,
  },
  lvs_director_virtual_service_incoming_packets_total: {
    type: 'counter',
    help: 'Packets from clients.',
    labels: perService,
  },
  lvs_director_virtual_service_outgoing_packets_total: {
    type: 'counter',
    help: 'Packets to clients; only with NAT does the director see them.',
    labels: perService,
  },
  lvs_director_virtual_service_incoming_bytes_total: {
    type: 'counter',
    help: 'Bytes from clients, headers of IP and above included.',
    labels: perService,
  },
  lvs_director_virtual_service_outgoing_bytes_total: {
    type: 'counter',
    help: 'Bytes to clients; only with NAT does the director see them.',
    labels: perService,
  },
  lvs_director_virtual_service_real_servers: {
    type: 'gauge',
    help: 'Real servers in the kernel: serving ones take new connections, quiesced ones have weight 0.',
    labels: [...perService, 'state'],
  },
  lvs_director_real_server_connections_total: {
    type: 'counter',
    help: 'Connections and flows scheduled to the real server since it was added.',
    labels: perRealServer,
  },
  lvs_director_real_server_incoming_packets_total: {
    type: 'counter',
    help: 'Packets from clients to the real server.',
    labels: perRealServer,
  },
  lvs_director_real_server_outgoing_packets_total: {
    type: 'counter',
    help: 'Packets from the real server to clients; only with NAT does the director see them.',
    labels: perRealServer,
  },
  lvs_director_real_server_incoming_bytes_total: {
    type: 'counter',
    help: 'Bytes from clients to the real server.',
    labels: perRealServer,
  },
  lvs_director_real_server_outgoing_bytes_total: {
    type: 'counter',
    help: 'Bytes from the real server to clients; only with NAT does the director see them.',
    labels: perRealServer,
  },
  lvs_director_real_server_active_connections: {
    type: 'gauge',
    help: 'Connections that are open (TCP: ESTABLISHED), those learnt by sync included.',
    labels: perRealServer,
  },
  lvs_director_real_server_inactive_connections: {
    type: 'gauge',
    help: 'Connections that are opening or closing, and all flows of UDP, those learnt by sync included.',
    labels: perRealServer,
  },
  lvs_director_real_server_weight: {
    type: 'gauge',
    help: 'Weight in the kernel; 0 takes no new connections.',
    labels: perRealServer,
  },
} as const satisfies MetricDefinitions;

/** A controller; those that follow tell what they see, and leave the rest at zero. */
export const controllerMetrics = {
  lvs_controller_ready: { type: 'gauge', help: '1 when every resource was read; what /readyz says.' },
  lvs_controller_leader: { type: 'gauge', help: '1 in the process that leads.' },
  lvs_controller_terms_total: { type: 'counter', help: 'Times that this process began to lead.' },
  lvs_controller_decisions_total: {
    type: 'counter',
    help: 'Decisions over all VirtualServices and pools: addresses, ports, conditions.',
  },
  lvs_controller_decision_duration_seconds: {
    type: 'histogram',
    help: 'How long such a decision took; the process does nothing else meanwhile.',
    buckets: requestBuckets,
  },
  lvs_controller_reconcile_errors_total: {
    type: 'counter',
    help: 'Work on an object that failed and is tried again.',
    labels: ['kind'],
    seeds: ['VirtualService', 'RealServer', 'AddressPool', 'Director'].map((kind) => ({ kind })),
  },
  lvs_controller_events_total: {
    type: 'counter',
    help: 'Events for people: written, repeated (counted in an event that is there), or dropped by the limit or a refusal.',
    labels: ['outcome'],
    seeds: ['written', 'repeated', 'dropped'].map((outcome) => ({ outcome })),
  },
  lvs_controller_virtual_services: {
    type: 'gauge',
    help: 'VirtualServices by the condition Ready in their status.',
    labels: ['ready'],
  },
  lvs_controller_real_server_slices: { type: 'gauge', help: 'RealServerSlices that are there.' },
  lvs_controller_endpoints: {
    type: 'gauge',
    help: 'Endpoints in all RealServerSlices, by phase.',
    labels: ['phase'],
  },
  lvs_controller_directors: {
    type: 'gauge',
    help: 'Directors by the condition Ready in their status.',
    labels: ['ready'],
  },
  lvs_controller_pool_addresses: {
    type: 'gauge',
    help: 'Addresses of the pool; of an IPv6 network about as many as a number can tell.',
    labels: ['pool'],
  },
  lvs_controller_pool_allocated_addresses: {
    type: 'gauge',
    help: 'Addresses of the pool that VirtualServices have.',
    labels: ['pool'],
  },
  lvs_controller_pool_quarantined_addresses: {
    type: 'gauge',
    help: 'Addresses of the pool that nobody gets before the directors have let go of them.',
    labels: ['pool'],
  },
} as const satisfies MetricDefinitions;

/** Everything there is, in the order of docs/metrics.md. */
export const metricGroups: readonly MetricGroup[] = [
  { title: 'Traffic and the kernel', toldBy: 'directors', metrics: directorMetrics },
  { title: 'Health of real servers', toldBy: 'directors', metrics: healthMetrics },
  { title: 'The controller', toldBy: 'controllers', metrics: controllerMetrics },
  { title: 'Weights that follow the load', toldBy: 'the controller that leads', metrics: weightMetrics },
  {
    title: 'The API server, and work',
    toldBy: 'controllers, and directors in a cluster',
    metrics: clusterMetrics,
  },
  { title: 'The process', toldBy: 'all', metrics: processMetrics },
];
