import { previewChanges } from '../director/index.ts';
import { requireString } from './command.ts';
import type { Command } from './command.ts';
import { configFlag, manifestsFlag, stateDirFlag } from './common-flags.ts';
import { createLogger } from './logger.ts';
import { netlinkDebugSink } from './netlink-debug.ts';
import { readConfiguration } from './read-configuration.ts';
import { systemClock } from './system-clock.ts';

export const planCommand: Command = {
  name: 'plan',
  summary: 'Print what a director would change now, and change nothing.',
  usage: 'plan --manifests DIR [--state-dir DIR] [--config FILE]',
  description: `
Reads the manifests, the ledger and the kernel exactly as a director does and prints the ordered list of changes
of its next pass, one per line, and every refusal with file and line. It may run beside a director. Needs
CAP_NET_ADMIN to read the kernel table. Exits 0 when there is nothing to change, 3 when there is.`,
  flags: [manifestsFlag, stateDirFlag, configFlag],
  takesArguments: false,
  run: (input, io) => {
    const preview = previewChanges({
      manifestFolder: requireString(input, 'manifests'),
      stateDirectory: requireString(input, 'state-dir'),
      configuration: readConfiguration(input.strings['config']),
      clock: systemClock,
      logger: createLogger('error', 'text', () => {}),
      netlinkDebug: netlinkDebugSink(io),
    });
    for (const problem of preview.problems) io.err(`${problem.where}: ${problem.message}\n`);
    io.out(`${preview.lines.join('\n')}\n`);
    return Promise.resolve(preview.hasChanges ? 3 : 0);
  },
};
