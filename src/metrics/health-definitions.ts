import type { MetricDefinitions } from './definition.ts';
import { perRealServer, perService } from './label-sets.ts';

/** Seconds; those that the prober counts by. */
const probeBuckets = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** A director that checks real servers: its probes, their verdicts, and what pools make of these. */
export const healthMetrics = {
  lvs_director_probes_total: {
    type: 'counter',
    help: 'Probes that ended, by kind of check. A void one says nothing of the server: it could not be asked, or not in time.',
    labels: ['check', 'outcome'],
  },
  lvs_director_probe_failures_total: {
    type: 'counter',
    help: 'Probes that failed, by reason (docs/health.md).',
    labels: ['reason'],
  },
  lvs_director_probes_void_total: {
    type: 'counter',
    help: 'Probes that say nothing of the server, by reason (docs/health.md).',
    labels: ['reason'],
  },
  lvs_director_probe_duration_seconds: {
    type: 'histogram',
    help: 'From the first packet of a probe to its verdict; failed probes among them, void ones not.',
    labels: ['check'],
    buckets: probeBuckets,
  },
  lvs_director_health_transitions_total: {
    type: 'counter',
    help: 'Real servers that went up or down for clients, by why. A flapping one that is kept out counts once.',
    labels: ['state', 'reason'],
  },
  lvs_director_prober_probes: {
    type: 'gauge',
    help: 'Probes that run: one for each question to each target, however many services ask for it.',
  },
  lvs_director_prober_overdue_probes: {
    type: 'gauge',
    help: 'Probes that have not ended for three intervals and some seconds: the prober hangs or lacks CPU.',
  },
  lvs_director_prober_oldest_probe_age_seconds: {
    type: 'gauge',
    help: 'Age of the probe that ended longest ago. Intervals of an hour make it an hour.',
  },
  lvs_director_prober_restarts_total: {
    type: 'counter',
    help: 'Times that the thread of the prober ended or hung, and was started again.',
  },
  lvs_director_prober_missed_probes_total: {
    type: 'counter',
    help: 'Turns of probes that were left out, because the one before had not ended or the thread stood still.',
  },
  lvs_director_prober_delay_seconds_total: {
    type: 'counter',
    help: 'How late probes began, added up; divided by the probes it is the mean delay.',
  },
  lvs_director_prober_held_up_seconds_total: {
    type: 'counter',
    help: 'How long the thread of the prober stood still while probes were under way; they get that time back.',
  },
  lvs_director_virtual_service_checked_real_servers: {
    type: 'gauge',
    help:
      'Real servers with a check that clients may be sent to: up; down; new, and not asked yet; flapping, which pass and ' +
      'are kept out for a while; held, which fail and stay since this director is isolated.',
    labels: [...perService, 'state'],
  },
  lvs_director_virtual_service_quorum_lost: {
    type: 'gauge',
    help: '1 while fewer real servers are up than the quorum; where none is written it is one.',
    labels: perService,
  },
  lvs_director_virtual_service_sorry_serving: {
    type: 'gauge',
    help: '1 while the sorry server answers.',
    labels: perService,
  },
  lvs_director_virtual_service_health_ignored: {
    type: 'gauge',
    help: '1 while so few are up that all of them get connections (panicThresholdPercent).',
    labels: perService,
  },
  lvs_director_real_server_up: {
    type: 'gauge',
    help: '1 while a real server with a check is up for clients; sorry servers among them.',
    labels: perRealServer,
  },
  lvs_director_real_server_probe_age_seconds: {
    type: 'gauge',
    help: 'Time since the last probe of the real server ended. Well above its interval, it is the prober that is stuck.',
    labels: perRealServer,
  },
  lvs_director_real_server_certificate_expiry_timestamp_seconds: {
    type: 'gauge',
    help: 'When the certificate ends that the real server showed in the last probe by TLS that passed, in seconds since 1970.',
    labels: perRealServer,
  },
} as const satisfies MetricDefinitions;
