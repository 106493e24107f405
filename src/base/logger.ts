/** What rooms may log with: a constant message plus keys. The cli gives it a body (pino); pure rooms never log. */
export interface Logger {
  debug(message: string, keys?: LogKeys): void;
  info(message: string, keys?: LogKeys): void;
  warn(message: string, keys?: LogKeys): void;
  error(message: string, keys?: LogKeys): void;
  child(keys: LogKeys): Logger;
}

export type LogKeys = Record<string, unknown>;
