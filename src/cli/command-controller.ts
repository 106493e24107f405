import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { connectCluster, countAnswers } from '../cluster/index.ts';
import { allMetrics, defaultLeaseName, openControllerEndpoint, runController } from '../controller/index.ts';
import type { Controller, ControllerMetrics } from '../controller/index.ts';
import { makeGuard } from '../endpoint/index.ts';
import { systemTimers } from '../kube/index.ts';
import { Metrics } from '../metrics/index.ts';
import { UsageError, requireString } from './command.ts';
import type { Command, CommandInput, CommandIo } from './command.ts';
import { logFlags, openLog } from './log-flags.ts';
import { openLogLevelSwitch } from './log-level-switch.ts';
import { controllerPort, readListen } from './listen-flag.ts';
import { waitForStop } from './stop-signal.ts';
import { readPrometheus } from './prometheus-flags.ts';
import { systemClock } from './system-clock.ts';
import { version } from './version.ts';
import { answerWeightsQuestion } from './weights-question.ts';

export const controllerCommand: Command = {
  name: 'controller',
  summary: 'Decide for a whole cluster: virtual addresses, endpoints, statuses.',
  usage: 'controller [--kubeconfig FILE] [--namespace NS] [--identity NAME] [--lease-name NAME]',
  description: `
Gives VirtualServices their addresses and ports, finds the endpoints of RealServers among pods and EndpointSlices,
and tells in statuses and events what became of everything. Directors program what it decides. Run two or more: one
leads by a Lease, the others follow the cluster and take over when it stops. What is served goes on without any.

Over HTTP it answers /healthz, /readyz and /metrics: on a loopback address as they are; elsewhere by TLS, and metrics
only for who may get that path by RBAC.

With --prometheus-url, who writes a VirtualService chooses the query, and reads whatever it can read.

SIGTERM and SIGINT end the work and give the Lease back.`,
  flags: [
    {
      name: 'kubeconfig',
      type: 'string',
      placeholder: 'FILE',
      description: 'How to reach the API server. Default: the service account of the pod.',
    },
    {
      name: 'context',
      type: 'string',
      placeholder: 'NAME',
      description: "Context of the kubeconfig. Default: the file's current one.",
    },
    {
      name: 'namespace',
      type: 'string',
      placeholder: 'NS',
      description: 'Namespace of the Lease.',
      default: 'lvs-system',
    },
    {
      name: 'identity',
      type: 'string',
      placeholder: 'NAME',
      description:
        'Name of this process, beginning of what it writes into the Lease. Default: the host name.',
    },
    {
      name: 'lease-name',
      type: 'string',
      placeholder: 'NAME',
      description: 'Name of the Lease; controllers that share it elect one leader.',
      default: defaultLeaseName,
    },
    {
      name: 'lease-duration',
      type: 'string',
      placeholder: 'SECONDS',
      description: 'How long the others wait for a leader that is silent.',
      default: '15',
    },
    {
      name: 'lease-renew-deadline',
      type: 'string',
      placeholder: 'SECONDS',
      description: 'How long a leader goes on that cannot renew.',
      default: '10',
    },
    {
      name: 'lease-retry-period',
      type: 'string',
      placeholder: 'SECONDS',
      description: 'Between two looks at the Lease.',
      default: '2',
    },
    {
      name: 'prometheus-url',
      type: 'string',
      placeholder: 'URL',
      description: 'Where queries of weight policies go: http://prometheus.monitoring:9090. Default: none.',
    },
    {
      name: 'prometheus-token-file',
      type: 'string',
      placeholder: 'FILE',
      description: 'Bearer token for it, read anew for each query. Only with https.',
    },
    {
      name: 'prometheus-ca-file',
      type: 'string',
      placeholder: 'FILE',
      description: 'Authorities that its certificate may be of, in PEM. Default: those of Node.js.',
    },
    {
      name: 'listen',
      type: 'string',
      placeholder: 'ADDRESS:PORT|off',
      description: 'Where the HTTP endpoint is.',
      default: `:${controllerPort}`,
    },
    {
      name: 'control-dir',
      type: 'string',
      placeholder: 'DIR',
      description:
        'Folder for the socket by which "log-level" and "weights" reach this process. Default: none.',
    },
    ...logFlags,
  ],
  takesArguments: false,
  run: runControllerCommand,
};

async function runControllerCommand(input: CommandInput, io: CommandIo): Promise<number> {
  const stopped = waitForStop();
  const lease = readLease(input);
  const prometheus = readPrometheus(input);
  const namespace = requireString(input, 'namespace');
  const log = openLog(input, io);
  const { logger } = log;
  const { kubeconfig, context, identity = hostname() } = input.strings;
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = io.env;
  const listen = readListen(input, `:${controllerPort}`);
  const metrics: ControllerMetrics = new Metrics(allMetrics);
  const connection = connectCluster({
    ...(kubeconfig === undefined
      ? {}
      : { kubeconfig: { file: kubeconfig, ...(context === undefined ? {} : { context }) } }),
    ...(host === undefined || port === undefined ? {} : { service: { host, port } }),
    userAgent: `lvs-controller/${version}`,
    clock: systemClock,
    timers: systemTimers,
    random: Math.random,
    onAnswer: countAnswers(metrics),
  });
  const controlDirectory = input.strings['control-dir'];
  let controller: Controller | undefined;
  const logLevelSwitch =
    controlDirectory === undefined
      ? undefined
      : await openLogLevelSwitch(controlDirectory, log, systemTimers, (line) =>
          answerWeightsQuestion(line, controller),
        );
  const endpoint =
    listen === undefined
      ? undefined
      : await openControllerEndpoint({
          listen,
          guard: makeGuard(listen, hostname(), systemClock, connection.client.transport),
          clock: systemClock,
          timers: systemTimers,
          logger,
          version,
          metrics,
          retryPeriodMs: lease.retryPeriodMs,
          controller: () => controller,
        });
  // Of this process and no other: one that is started again under the same name must not take itself for the leader.
  const name = `${identity}_${randomUUID()}`;
  controller = await runController({
    connection,
    logger,
    namespace,
    identity: name,
    lease,
    prometheus,
    metrics,
  });
  logger.info('following the cluster', { identity: name, namespace });
  logger.info('stopping', { signal: await stopped });
  await controller.stop();
  await endpoint?.close();
  await connection.close();
  await logLevelSwitch?.close();
  return 0;
}

/** @throws UsageError */
function readLease(input: CommandInput) {
  const lease = {
    name: requireString(input, 'lease-name'),
    durationMs: readSeconds(input, 'lease-duration'),
    renewDeadlineMs: readSeconds(input, 'lease-renew-deadline'),
    retryPeriodMs: readSeconds(input, 'lease-retry-period'),
  };
  // As client-go has it: a leader must know that its time is over before others take over, and have two attempts in it.
  if (lease.durationMs <= lease.renewDeadlineMs)
    throw new UsageError('--lease-duration must be longer than --lease-renew-deadline');
  if (lease.renewDeadlineMs < 2 * lease.retryPeriodMs)
    throw new UsageError('--lease-renew-deadline must be at least twice --lease-retry-period');
  return lease;
}

/** @throws UsageError */
function readSeconds(input: CommandInput, name: string): number {
  const value = requireString(input, name);
  const seconds = Number(value);
  if (!/^\d+(?:\.\d{1,3})?$/.test(value) || seconds < 0.1 || seconds > 3600)
    throw new UsageError(`--${name} must be a number of seconds from 0.1 to 3600, not "${value}"`);
  return seconds * 1000;
}
