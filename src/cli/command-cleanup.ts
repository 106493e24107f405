import { cleanUp } from '../director/index.ts';
import { requireString } from './command.ts';
import type { Command } from './command.ts';
import { configFlag, stateDirFlag } from './common-flags.ts';
import { createLogger } from './logger.ts';
import { netlinkDebugSink } from './netlink-debug.ts';
import { readConfiguration } from './read-configuration.ts';
import { systemClock } from './system-clock.ts';

export const cleanupCommand: Command = {
  name: 'cleanup',
  summary: 'Remove what a director left on this host, and only that.',
  usage: 'cleanup [--state-dir DIR] [--dry-run]',
  description: `
Withdraws the virtual addresses, then removes the services, packet rules and device that the ledger lists or
that carry the director's mark in the kernel, puts sysctls back to what they were, and removes the ledger.
Entries of other programs stay. Refuses while a director is running. Connections through the removed services
are cut: to empty a director without loss, drain it first or stop it with --on-stop withdraw behind another one.`,
  flags: [
    stateDirFlag,
    configFlag,
    { name: 'dry-run', type: 'boolean', description: 'Only print what would be removed.' },
  ],
  takesArguments: false,
  run: async (input, io) => {
    const isDone = await cleanUp({
      stateDirectory: requireString(input, 'state-dir'),
      configuration: readConfiguration(input.strings['config']),
      clock: systemClock,
      logger: createLogger('warn', 'text', (line) => io.err(line)),
      netlinkDebug: netlinkDebugSink(io),
      isDryRun: input.booleans['dry-run'] === true,
      report: (step) => io.out(`${step}\n`),
    });
    return isDone ? 0 : 1;
  },
};
