import { formatErrorForPeople } from '../base/index.ts';
import type { Timers } from '../base/index.ts';
import { openControlSocket } from './control-socket.ts';
import type { ControlSocket } from './control-socket.ts';
import type { OpenLog } from './log-flags.ts';
import { logLevels } from './logger.ts';
import type { LogLevel } from './logger.ts';

/** What one asks for; without a level, what it is. */
export interface LogLevelQuestion {
  readonly level?: LogLevel;
  /** After that many seconds the level is again that of the command line. Absent: it stays. */
  readonly seconds?: number;
}

export type LogLevelAnswer =
  | {
      readonly level: LogLevel;
      /** Of the command line. */
      readonly started: LogLevel;
    }
  | { readonly problem: string };

/** A day: whoever wants it longer wants another setting. */
export const longestSwitchSeconds = 86_400;

/**
 * Lets the level of a log be changed while the process runs, through the control socket of a folder. Without such a socket
 * the process goes on all the same: its log says so.
 * @param answerOther of questions that are not about the log; undefined: it is none of them.
 */
export async function openLogLevelSwitch(
  folder: string,
  log: OpenLog,
  timers: Timers,
  answerOther: (line: string) => string | undefined = () => undefined,
): Promise<ControlSocket> {
  const { logger } = log;
  const levelSwitch = new LogLevelSwitch(log, timers);
  try {
    const socket = await openControlSocket(
      folder,
      (line) => answerOther(line) ?? JSON.stringify(levelSwitch.answer(line)),
    );
    return {
      close: async () => {
        levelSwitch.close();
        await socket.close();
      },
    };
  } catch (error) {
    logger.warn('the log level cannot be changed while this runs', { reason: formatErrorForPeople(error) });
    return { close: () => Promise.resolve() };
  }
}

class LogLevelSwitch {
  readonly #log: OpenLog;
  readonly #timers: Timers;
  readonly #started: LogLevel;
  #cancelReturn = (): void => {};

  constructor(log: OpenLog, timers: Timers) {
    this.#log = log;
    this.#timers = timers;
    this.#started = log.threshold.level;
  }

  close(): void {
    this.#cancelReturn();
  }

  answer(line: string): LogLevelAnswer {
    const question = parseQuestion(line);
    if (question === undefined) return { problem: 'that is no question that this version knows' };
    const { level, seconds } = question;
    if (level !== undefined) {
      this.#cancelReturn();
      this.#cancelReturn = (): void => {};
      this.#set(level, seconds);
      if (seconds !== undefined)
        this.#cancelReturn = this.#timers.after(seconds * 1000, () => this.#set(this.#started, undefined));
    }
    return { level: this.#log.threshold.level, started: this.#started };
  }

  #set(level: LogLevel, seconds: number | undefined): void {
    const { threshold, logger } = this.#log;
    const from = threshold.level;
    // Whoever reads the log later must see why there is more of it, or less: it is printed by the more talkative of the two.
    if (logLevels.indexOf(level) < logLevels.indexOf(from)) threshold.level = level;
    logger.warn('log level changed', { from, to: level, ...(seconds === undefined ? {} : { seconds }) });
    threshold.level = level;
  }
}

function parseQuestion(line: string): LogLevelQuestion | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const parts = new Map<string, unknown>(Object.entries(value));
  const level = logLevels.find((known) => known === parts.get('level'));
  const seconds = parts.get('seconds');
  if (level === undefined) return parts.size === 0 ? {} : undefined;
  if (seconds === undefined) return { level };
  const isTime = typeof seconds === 'number' && seconds > 0 && seconds <= longestSwitchSeconds;
  return isTime ? { level, seconds } : undefined;
}
