import { validateManifests } from '../director/index.ts';
import { UsageError } from './command.ts';
import type { Command } from './command.ts';
import { configFlag } from './common-flags.ts';
import { readConfiguration } from './read-configuration.ts';

export const validateCommand: Command = {
  name: 'validate',
  summary: 'Check manifests offline and name every mistake with file and line.',
  usage: 'validate [--config FILE] FILE|DIR…',
  description: `
Checks each object alone and all of them together, as a director would: fields and limits, addresses outside
every pool, references to missing objects, ports that DR and TUN cannot remap, two owners of one port. Reads
nothing but the files: no kernel, no privilege, no network. Exits 1 when something would be refused.`,
  flags: [configFlag, { name: 'quiet', type: 'boolean', description: 'Print problems only.' }],
  takesArguments: true,
  run: (input, io) => {
    if (input.positionals.length === 0) throw new UsageError('name at least one file or folder');
    const { problems, summary } = validateManifests(
      input.positionals,
      readConfiguration(input.strings['config']),
    );
    for (const { where, severity, message } of problems) {
      io.out(`${where}: ${severity === 'warning' ? 'warning: ' : ''}${message}\n`);
    }
    const errors = problems.filter((problem) => problem.severity === 'error').length;
    if (input.booleans['quiet'] !== true)
      io.out(`${summary}, ${errors === 0 ? 'no errors' : `${errors} error(s)`}\n`);
    return Promise.resolve(errors === 0 ? 0 : 1);
  },
};
