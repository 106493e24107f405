import { cleanUp } from '../director/index.ts';
import { requireString } from './command.ts';
import type { Command } from './command.ts';
import { configFlag, stateDirFlag } from './common-flags.ts';
import { createLogger } from './logger.ts';
import { netlinkDebugSink } from './netlink-debug.ts';
import { readConfiguration } from './read-configuration.ts';
import { waitForStop } from './stop-signal.ts';
import { systemClock } from './system-clock.ts';

export const cleanupCommand: Command = {
  name: 'cleanup',
  summary: 'Remove what a director left on this host, and only that.',
  usage: 'cleanup [--state-dir DIR] [--config FILE] [--dry-run] [--stay]',
  description: `
Withdraws the virtual addresses, then removes the services, packet rules and device that the ledger lists or
that carry the director's mark in the kernel, puts sysctls back to what they were, and removes the ledger.
Entries of other programs stay. Refuses while a director is running. Connections through the removed services
are cut: to empty a director without loss, drain it first or stop it with --on-stop withdraw behind another one.`,
  flags: [
    stateDirFlag,
    configFlag,
    { name: 'dry-run', type: 'boolean', description: 'Only print what would be removed.' },
    {
      name: 'stay',
      type: 'boolean',
      description: 'Run on until told to stop when all is gone, for what would start it again and again.',
    },
  ],
  takesArguments: false,
  run: async (input, io) => {
    const isDone = await cleanUp({
      stateDirectory: requireString(input, 'state-dir'),
      configuration: readConfiguration(input.strings['config']),
      clock: systemClock,
      logger: createLogger({ level: 'warn' }, 'text', (line) => io.err(line)),
      netlinkDebug: netlinkDebugSink(io),
      isDryRun: input.booleans['dry-run'] === true,
      report: (step) => io.out(`${step}\n`),
    });
    if (!isDone) return 1;
    if (input.booleans['stay'] === true) {
      // Signals alone keep no process alive.
      const hold = setInterval(() => {}, 2 ** 30);
      await waitForStop();
      clearInterval(hold);
    }
    return 0;
  },
};
