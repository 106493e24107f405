import { previewCluster, previewManifests } from '../director/index.ts';
import type { PreviewOptions } from '../director/index.ts';
import { systemTimers } from '../kube/index.ts';
import { requireString } from './command.ts';
import type { Command } from './command.ts';
import { configFlag, stateDirFlag } from './common-flags.ts';
import { goalFlags, readGoalSource } from './goal-source.ts';
import { createLogger } from './logger.ts';
import { netlinkDebugSink } from './netlink-debug.ts';
import { readConfiguration } from './read-configuration.ts';
import { systemClock } from './system-clock.ts';
import { version } from './version.ts';

export const planCommand: Command = {
  name: 'plan',
  summary: 'Print what a director would change now, and change nothing.',
  usage: 'plan (--manifests DIR | --node-name NAME [--kubeconfig FILE]) [--state-dir DIR] [--config FILE]',
  description: `
Reads the manifests or the cluster, the ledger and the kernel exactly as a director does and prints the ordered
list of changes of its next pass, one per line, and every refusal with file and line, or with its object. It may run
beside a director. Needs CAP_NET_ADMIN to read the kernel table. Exits 0 when there is nothing to change, 3 when there is.`,
  flags: [...goalFlags, stateDirFlag, configFlag],
  takesArguments: false,
  run: async (input, io) => {
    const goal = readGoalSource(input, io);
    const options: PreviewOptions = {
      stateDirectory: requireString(input, 'state-dir'),
      configuration: readConfiguration(input.strings['config']),
      clock: systemClock,
      logger: createLogger({ level: 'error' }, 'text', () => {}),
      netlinkDebug: netlinkDebugSink(io),
    };
    const preview =
      goal.kind === 'manifests'
        ? previewManifests(goal.folder, options)
        : await previewCluster(
            { ...goal, timers: systemTimers, random: Math.random, userAgent: `lvs-operator-plan/${version}` },
            options,
          );
    for (const problem of preview.problems) io.err(`${problem.where}: ${problem.message}\n`);
    io.out(`${preview.lines.join('\n')}\n`);
    return preview.hasChanges ? 3 : 0;
  },
};
