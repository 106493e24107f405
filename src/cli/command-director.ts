import { cleanUp, runClusterDirector, runDirector } from '../director/index.ts';
import { isLoopback } from '../endpoint/index.ts';
import { systemTimers } from '../kube/index.ts';
import { oneOf, requireString } from './command.ts';
import type { Command, CommandInput, CommandIo } from './command.ts';
import { configFlag, stateDirFlag } from './common-flags.ts';
import { goalFlags, readGoalSource } from './goal-source.ts';
import { directorPort, readListen } from './listen-flag.ts';
import { logFlags, openLog } from './log-flags.ts';
import { openLogLevelSwitch } from './log-level-switch.ts';
import { netlinkDebugSink } from './netlink-debug.ts';
import { readConfiguration } from './read-configuration.ts';
import { waitForStop } from './stop-signal.ts';
import { systemClock } from './system-clock.ts';
import { version } from './version.ts';

export const directorCommand: Command = {
  name: 'director',
  summary: 'Hold the IPVS table of this host equal to a folder of manifests or to a cluster.',
  usage:
    'director (--manifests DIR | --node-name NAME [--kubeconfig FILE]) [--state-dir DIR] [--config FILE]',
  description: `
Reads VirtualServices, RealServers and AddressPools, programs them into the kernel, binds and announces the
virtual addresses, and then follows every change of them and repairs every foreign change. Entries of other
programs are never touched. Needs CAP_NET_ADMIN, and CAP_NET_RAW to announce addresses.

With --manifests the objects are files in a folder. With --node-name they are those of a cluster, for the Node
of that name, which needs the label networking.lvs-operator.io/director. An API server that is away takes nothing
down: what was served last goes on, also over a restart. When the label goes, everything is withdrawn.

Over HTTP it answers /healthz, /readyz and /v1/counters: on the loopback address as they are; elsewhere, in a cluster,
by TLS, and counters only for who may get that path by RBAC.

SIGTERM and SIGINT stop the process and leave the kernel table serving; SIGHUP reads the folder again.
"lvs-operator log-level" changes the level of its log at run time.
NETLINK_DEBUG=1 in the environment prints the decoded netlink traffic on stderr.`,
  flags: [
    ...goalFlags,
    stateDirFlag,
    configFlag,
    {
      name: 'on-stop',
      type: 'string',
      placeholder: 'keep|withdraw',
      description: 'What a stop leaves behind: everything, or nothing.',
      default: 'keep',
    },
    {
      name: 'listen',
      type: 'string',
      placeholder: 'ADDRESS:PORT|off',
      description: 'Where the HTTP endpoint is. Default: 127.0.0.1:9441, in a cluster :9441, all addresses.',
    },
    ...logFlags,
  ],
  takesArguments: false,
  run: runDirectorCommand,
};

async function runDirectorCommand(input: CommandInput, io: CommandIo): Promise<number> {
  const onStop = oneOf(input, 'on-stop', ['keep', 'withdraw']);
  // From the first moment: a director that is told to stop while it starts finishes its first pass, then leaves as asked.
  const stopped = waitForStop();
  const log = openLog(input, io);
  const { logger } = log;
  const goal = readGoalSource(input, io);
  const listen = readListen(
    input,
    goal.kind === 'manifests' ? `127.0.0.1:${directorPort}` : `:${directorPort}`,
  );
  if (goal.kind === 'manifests' && listen !== undefined && !isLoopback(listen))
    logger.warn('everybody who reaches this address may read the endpoint', {
      listen: input.strings['listen'],
    });
  const stateDirectory = requireString(input, 'state-dir');
  const options = {
    stateDirectory,
    configuration: readConfiguration(input.strings['config']),
    clock: systemClock,
    timers: systemTimers,
    logger,
    version,
    pid: process.pid,
    netlinkDebug: netlinkDebugSink(io),
    listen,
  };
  const logLevelSwitch = await openLogLevelSwitch(stateDirectory, log, systemTimers);
  const director =
    goal.kind === 'manifests'
      ? await runDirector({ ...options, manifestFolder: goal.folder })
      : await runClusterDirector({ ...options, ...goal, random: Math.random });
  process.on('SIGHUP', () => director.reload());
  const signal = await stopped;
  logger.info('stopping', { signal, leaves: onStop === 'keep' ? 'the table as it is' : 'nothing' });
  await director.stop();
  await logLevelSwitch.close();
  if (onStop === 'keep') return 0;
  const isGone = await cleanUp({ ...options, isDryRun: false, report: (step) => logger.info(step) });
  return isGone ? 0 : 1;
}
