import type { Logger } from '../base/index.ts';
import { oneOf } from './command.ts';
import type { CommandInput, CommandIo, Flag } from './command.ts';
import { createLogger, logLevels } from './logger.ts';
import type { LogLevel } from './logger.ts';

/** Of the commands that run until they are stopped. */
export const logFlags: readonly Flag[] = [
  {
    name: 'log-level',
    type: 'string',
    placeholder: logLevels.join('|'),
    description: 'Least severe log lines to print.',
    default: 'info',
  },
  {
    name: 'log-format',
    type: 'string',
    placeholder: 'json|text',
    description: 'Log lines for machines or for people. Default: text on a terminal, json otherwise.',
  },
];

/** @throws UsageError */
export function openLogger(input: CommandInput, io: CommandIo): Logger {
  const level = oneOf(input, 'log-level', logLevels) as LogLevel;
  const asked =
    input.strings['log-format'] === undefined ? undefined : oneOf(input, 'log-format', ['json', 'text']);
  const format = asked ?? (io.isTerminal ? 'text' : 'json');
  return createLogger(level, format === 'text' ? 'text' : 'json', (line) => io.err(line));
}
