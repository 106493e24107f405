import type { Logger } from '../base/index.ts';
import { oneOf } from './command.ts';
import type { CommandInput, CommandIo, Flag } from './command.ts';
import { createLogger, logLevels } from './logger.ts';
import type { LogLevel, LogThreshold } from './logger.ts';

/** Of the commands that run until they are stopped. */
export const logFlags: readonly Flag[] = [
  {
    name: 'log-level',
    type: 'string',
    placeholder: logLevels.join('|'),
    description: 'Least severe log lines to print. "lvs-operator log-level" changes it at run time.',
    default: 'info',
  },
  {
    name: 'log-format',
    type: 'string',
    placeholder: 'json|text',
    description: 'Log lines for machines or for people. Default: text on a terminal, json otherwise.',
  },
];

export interface OpenLog {
  readonly logger: Logger;
  readonly threshold: LogThreshold;
}

/** @throws UsageError */
export function openLog(input: CommandInput, io: CommandIo): OpenLog {
  const level = oneOf(input, 'log-level', logLevels) as LogLevel;
  const asked =
    input.strings['log-format'] === undefined ? undefined : oneOf(input, 'log-format', ['json', 'text']);
  const format = asked ?? (io.isTerminal ? 'text' : 'json');
  const threshold = { level };
  return {
    threshold,
    logger: createLogger(threshold, format === 'text' ? 'text' : 'json', (line) => io.err(line)),
  };
}
