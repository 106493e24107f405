import { formatErrorForPeople, isLvsError } from '../base/index.ts';
import { cleanupCommand } from './command-cleanup.ts';
import { controllerCommand } from './command-controller.ts';
import { directorCommand } from './command-director.ts';
import { drainCommand, undrainCommand } from './command-drain.ts';
import { logLevelCommand } from './command-log-level.ts';
import { planCommand } from './command-plan.ts';
import { statusCommand } from './command-status.ts';
import { validateCommand } from './command-validate.ts';
import { weightsCommand } from './command-weights.ts';
import { withdrawCommand } from './command-withdraw.ts';
import { UsageError, formatCommandHelp, parseCommandLine } from './command.ts';
import type { Command, CommandIo } from './command.ts';
import { version } from './version.ts';

const commands: readonly Command[] = [
  directorCommand,
  controllerCommand,
  planCommand,
  validateCommand,
  statusCommand,
  weightsCommand,
  logLevelCommand,
  drainCommand,
  undrainCommand,
  cleanupCommand,
  withdrawCommand,
];

/** @returns the exit status. Nothing below this prints a stack trace for anything but a bug of ours. */
export async function runCommandLine(argv: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const topic = name === 'help' ? rest[0] : undefined;
    const command = topic === undefined ? undefined : findCommand(topic);
    if (topic !== undefined && command === undefined) return refuseCommand(topic, io);
    io.out(command === undefined ? formatOverview() : formatCommandHelp(command));
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === 'version') {
    io.out(`lvs-operator ${version}\n`);
    return 0;
  }
  const command = findCommand(name);
  if (command === undefined) return refuseCommand(name, io);
  try {
    const input = parseCommandLine(command, rest);
    if (input.help) {
      io.out(formatCommandHelp(command));
      return 0;
    }
    return await command.run(input, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`lvs-operator ${command.name}: ${error.message}. See: lvs-operator ${command.name} --help\n`);
      return 2;
    }
    if (isLvsError(error)) {
      io.err(`lvs-operator ${command.name}: ${formatErrorForPeople(error)} [${error.code}]\n`);
      return 1;
    }
    throw error;
  }
}

function refuseCommand(name: string, io: CommandIo): number {
  io.err(`lvs-operator: there is no command "${name}". See: lvs-operator --help\n`);
  return 2;
}

function findCommand(name: string): Command | undefined {
  return commands.find((command) => command.name === name);
}

function formatOverview(): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const list = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`).join('\n');
  return `lvs-operator ${version}: Linux Virtual Server from VirtualService and RealServer objects

Usage: lvs-operator COMMAND [FLAGS]

Commands:
${list}

Each command explains itself: lvs-operator COMMAND --help
`;
}
