import pino from 'pino';
import type { LogKeys, Logger } from '../base/index.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * JSON lines on stderr (stdout belongs to what a person asked for), written synchronously: the last line before a
 * crash is the one that matters. `text` prints the same lines for a terminal.
 */
export function createLogger(
  level: LogLevel,
  format: 'json' | 'text',
  write: (line: string) => void,
): Logger {
  const destination = { write: format === 'json' ? write : (line: string) => write(formatLogLine(line)) };
  return wrap(
    pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        messageKey: 'message',
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: describeError },
      },
      destination,
    ),
  );
}

function wrap(logger: pino.Logger): Logger {
  return {
    debug: (message, keys) => logger.debug(keys ?? {}, message),
    info: (message, keys) => logger.info(keys ?? {}, message),
    warn: (message, keys) => logger.warn(keys ?? {}, message),
    error: (message, keys) => logger.error(keys ?? {}, message),
    child: (keys: LogKeys) => wrap(logger.child(keys)),
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
