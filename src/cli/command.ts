import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';

/** One flag of a command. `short` forms are avoided, since scripts read better with whole words, but for kubectl's. */
export interface Flag {
  readonly name: string;
  readonly short?: string;
  readonly type: 'string' | 'boolean';
  /** Shown as `--name PLACEHOLDER` in the help. */
  readonly placeholder?: string;
  readonly description: string;
  /** Shown in the help and used when the flag is absent. */
  readonly default?: string;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The line after `Usage: lvs-operator `. */
  readonly usage: string;
  /** Paragraphs of the command's own help. */
  readonly description: string;
  readonly flags: readonly Flag[];
  readonly takesArguments: boolean;
  /** @returns the exit status: 0 done, 1 failed, 2 wrong use. */
  run(input: CommandInput, io: CommandIo): Promise<number>;
}

export interface CommandInput {
  readonly strings: Readonly<Record<string, string>>;
  readonly booleans: Readonly<Record<string, boolean>>;
  readonly positionals: readonly string[];
}

/** The outside world of a command, so that tests can be one. */
export interface CommandIo {
  out(text: string): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
}

/** A usage mistake: printed as one line with a pointer to the help, exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError that names the flag and what was expected. */
export function parseCommandLine(
  command: Command,
  argv: readonly string[],
): CommandInput & { help: boolean } {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } };
  for (const flag of command.flags)
    options[flag.name] = { type: flag.type, ...(flag.short && { short: flag.short }) };
  let parsed;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(
      error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error),
      {
        cause: error,
      },
    );
  }
  if (!command.takesArguments && parsed.positionals.length > 0) {
    throw new UsageError(`Unexpected argument "${parsed.positionals[0]}"`);
  }
  const strings: Record<string, string> = {};
  const booleans: Record<string, boolean> = {};
  for (const flag of command.flags) {
    const value = parsed.values[flag.name] ?? flag.default;
    if (typeof value === 'boolean') booleans[flag.name] = value;
    else if (typeof value === 'string') strings[flag.name] = value;
  }
  return { strings, booleans, positionals: parsed.positionals, help: parsed.values['help'] === true };
}

/** @throws UsageError when the flag is absent or empty. */
export function requireString(input: CommandInput, name: string): string {
  const value = input.strings[name];
  if (value === undefined || value === '') throw new UsageError(`--${name} is required`);
  return value;
}

/** @throws UsageError that lists the choices. */
export function oneOf(input: CommandInput, name: string, values: readonly string[]): string {
  const value = requireString(input, name);
  if (!values.includes(value))
    throw new UsageError(`--${name} must be one of ${values.join(', ')}, not "${value}"`);
  return value;
}

export function formatCommandHelp(command: Command): string {
  const rows = [...command.flags.map(describeFlag), ['--help', 'Show this help.'] as const];
  const width = Math.max(...rows.map(([left]) => left.length));
  const flags = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
  return `Usage: lvs-operator ${command.usage}\n\n${command.description.trim()}\n\nFlags:\n${flags}\n`;
}

function describeFlag(flag: Flag): readonly [string, string] {
  const words = [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])].join(', ');
  const left = flag.placeholder === undefined ? words : `${words} ${flag.placeholder}`;
  const right =
    flag.default === undefined ? flag.description : `${flag.description} Default: ${flag.default}.`;
  return [left, right];
}
