import pino from 'pino';
import type { LogKeys, Logger } from '../base/index.ts';

/** From the most to the least. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What decides about the lines of a logger and of all its children. May be changed at any time. */
export interface LogThreshold {
  level: LogLevel;
}

/**
 * JSON lines on stderr (stdout belongs to what a person asked for), written synchronously: the last line before a
 * crash is the one that matters. `text` prints the same lines for a terminal.
 */
export function createLogger(
  threshold: LogThreshold,
  format: 'json' | 'text',
  write: (line: string) => void,
): Logger {
  const destination = { write: format === 'json' ? write : (line: string) => write(formatLogLine(line)) };
  return wrap(
    pino(
      {
        // A child of pino keeps the level of its birth, so the threshold is looked at here instead.
        level: 'debug',
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        messageKey: 'message',
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: describeError },
      },
      destination,
    ),
    threshold,
  );
}

function wrap(logger: pino.Logger, threshold: LogThreshold): Logger {
  const print = (level: LogLevel) => (message: string, keys?: LogKeys) => {
    if (logLevels.indexOf(level) >= logLevels.indexOf(threshold.level)) logger[level](keys ?? {}, message);
  };
  return {
    debug: print('debug'),
    info: print('info'),
    warn: print('warn'),
    error: print('error'),
    child: (keys: LogKeys) => wrap(logger.child(keys), threshold),
  };
}

/** Message and code only: stacks are for bugs, and bugs end the process with their own. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return 'code' in error ? { code: error.code, message: error.message } : { message: error.message };
}

/** `03:14:15.926 warn  message  key=value`: for people; scripts ask for json. */
function formatLogLine(line: string): string {
  const { time, level, message, ...keys } = JSON.parse(line) as Record<string, unknown>;
  const tail = Object.entries(keys)
    .map(
      ([key, value]) =>
        `${key}=${typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value)}`,
    )
    .join(' ');
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(message)}${tail === '' ? '' : `  ${tail}`}\n`;
}
